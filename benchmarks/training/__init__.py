"""What benchmarks/training.py is made of: the problems, the loops that train on them, and one module for each table.

The script beside this folder has the same name; `import benchmarks.training` means the folder.
"""
