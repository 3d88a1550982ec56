"""From frames' colours to grades: small data, in order of time."""
