"""Who does the work: the supervisor, the process that loads the model, and the workers forked from it."""
