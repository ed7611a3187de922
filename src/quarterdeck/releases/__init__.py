"""A release: one immutable version of everything that makes an agent behave as it does, named by its digest."""
