"""Lightning's own loggers, by name; all of them write into the folder of the run."""

from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.errors import InputError

FOLDER = "logs"
PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}


def logger(config: RunConfig, folder: Path) -> Logger | bool:
    """Return the logger that the flags ask for; a package that is missing is said in one line."""
    kind = config.log
    try:
        match kind:
            case None:
                return False
            case "csv":
                return CSVLogger(folder, name=FOLDER, version="")
            case "tensorboard":
                return TensorBoardLogger(folder, name=FOLDER, version="")
            case "mlflow":
                store = f"sqlite:///{(folder / FOLDER / 'mlflow.db').resolve()}"
                (folder / FOLDER).mkdir(exist_ok=True)
                return MLFlowLogger(config.name, tracking_uri=store, artifact_location=str(folder / FOLDER))
            case "wandb":
                (folder / FOLDER).mkdir(exist_ok=True)
                return WandbLogger(name=config.name, project="torchobjectives", save_dir=folder / FOLDER)
    except ModuleNotFoundError as error:
        package = PACKAGES[str(kind)]
        raise InputError(f"--log {kind}: the package {package} is not installed: pip install {package}") from error
