"""HTTP/1.1: connections, answers in order, what is negotiated and refused."""
