"""Taking a stack down: what runs is stopped, what is full is emptied, what is left is priced and removed."""
