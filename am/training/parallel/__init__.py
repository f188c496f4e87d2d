"""Ways of training by several learners: one process, threads, torchrun, Ray."""
