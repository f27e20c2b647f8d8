"""What is learnt: for each task the loss, the served programs, and what its quality is judged by.

statistics = measure(data, class_counts=config.optimizer.class_weights == "balanced")
preprocess = create_preprocess(data.input, statistics)
task = create_task(data, statistics, config.optimizer, device)
model = models.get(config.model.model).build(model_spec(data, preprocess, config.model))
"""

from training.tasks.preprocess import Preprocess, create_preprocess
from training.tasks.statistics import Statistics, measure
from training.tasks.task import Task, create_task, model_spec, quality_inputs

__all__ = [
    "Preprocess",
    "Statistics",
    "Task",
    "create_preprocess",
    "create_task",
    "measure",
    "model_spec",
    "quality_inputs",
]
