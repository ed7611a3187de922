"""What reads have answered a short while ago, given again to the same principal for as long as an author allows."""
