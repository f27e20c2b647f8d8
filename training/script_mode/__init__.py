"""Script mode: `train` runs the user's own script in place of this project's loop, as AWS's training toolkit does.

The job is one that the SageMaker SDK (v2 estimators) or a stack's `training.hyperparameters` describes:

    sagemaker_program=train.py    the script, inside of
    sagemaker_submit_directory    s3://.../sourcedir.tar.gz, a folder or an archive; else the channel `code`,
                                  else what lies in /opt/ml/code

    SAGEMAKER_BASE_DIR=/tmp/job SAGEMAKER_PROGRAM=train.py python -m training

The contract (variables, arguments, exit code) is that of PyPI `sagemaker-training` 5.1.4. Two things are better here:
SIGTERM reaches the script, and `output/failure` begins with the script's own error.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.environment import JobPaths
    from training.signals import StopFlag

PROGRAM = "sagemaker_program"
PROGRAM_VARIABLE = "SAGEMAKER_PROGRAM"


def asked_for(hyperparameters: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the job names a script of the user's own."""
    return bool(environ.get(PROGRAM_VARIABLE) or hyperparameters.get(PROGRAM))


def run(paths: "JobPaths", hyperparameters: Mapping[str, Any], stop: "StopFlag | None" = None) -> int:
    """Run the job's script to its end; returns the exit code of `train`: 0 done, 1 failed, 143 stopped by a signal.

    `hyperparameters` are the platform's flat map of strings. `stop` is a flag that may have been set before. Call it
    from the main thread: it takes SIGTERM and SIGINT over while the script runs. A script that fails leaves its cause
    in output/failure. Raises training.errors.ConfigError when the job cannot be started as it is described.
    """
    from training.script_mode.job import run_script

    return run_script(paths, hyperparameters, stop)
