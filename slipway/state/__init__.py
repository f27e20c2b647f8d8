"""Where Pulumi's state is: its bucket, its key, and the files in it."""
