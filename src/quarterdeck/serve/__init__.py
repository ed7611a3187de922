"""The api process: joins the packages' routes, the live streams and the console into one application, and runs it."""
