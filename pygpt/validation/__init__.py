"""Is this the result that the course's code gives? A run, a history or weights beside R's recording."""
