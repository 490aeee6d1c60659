"""The texts of the benchmarks: from the folder `DESCEND_DATA`, with files and folders as their packages have them."""

import numpy as np
import pandas as pd

from benchmarks._linear_data import find

Texts = tuple[list[str], np.ndarray]


def newsgroup_texts(part: str = "train") -> Texts:
    """Which of 20 groups a text was written to: 11,293 texts to train on, 7,528 to test."""
    table = pd.read_csv(find(f"20newsgroups-{part}.tab"), sep="\t", skiprows=[1, 2]).dropna()
    return table["Text"].tolist(), table["Category"].to_numpy(str)


def spam_assassin() -> Texts:
    """Which of 6,046 e-mails, with their headers, are spam: 1,896."""
    files = sorted(find("datasets-spam-assassin/data").glob("*/*.txt"))
    # Few say in which encoding they are: as Latin-1, all bytes are letters or signs.
    texts = [file.read_text(encoding="latin-1") for file in files]
    return texts, np.array([file.parent.name.startswith("spam") for file in files]).astype(np.int64)
