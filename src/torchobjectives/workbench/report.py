from dataclasses import dataclass
from typing import Any
@dataclass
class Run:
    config: Any; command: Any; prepared: Any; network: Any; objective: Any; history: Any; predicted: Any; scores: Any
def write(path, run): path.write_text("x")
