"""How far an agent may go with a tool by itself: less than its release grants, widened deliberately, from evidence."""
