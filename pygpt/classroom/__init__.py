"""A class: its folder of submissions, its list, what is alike, and the services that host it."""
