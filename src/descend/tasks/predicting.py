"""What a classifier says of other pictures or texts, as a table."""

import pandas as pd

from descend.neural import ConvClassifier
from descend.tasks.common.network.training import Classifier
from descend.tasks.common.predicting import beside, told
from descend.tasks.common.reading import read_table
from descend.tasks.images.pictures import pictures_to_predict
from descend.tasks.text.texts import texts_in


def predicted(model: Classifier, source: str) -> tuple[pd.DataFrame, list[str]]:
    """A row for each picture, with its file or its number; or the table of texts, with columns beside its own. And what
    is to be told of files that were passed over.

    **Raises** `InputError` if there are none, if they are damaged, or not of the kind that the model was trained on.
    """
    if isinstance(model.network, ConvClassifier):
        height, width, channels = model.network.image_shape_
        shape = (height, width) if channels == 1 else (height, width, channels)
        pixels, names, notes = pictures_to_predict(source, shape)
        return beside(pd.DataFrame({"picture": names}), told(model.predict(pixels), model.classes)), notes
    frame = read_table(source).frame
    return beside(frame, told(model.predict(texts_in(frame, model.column)), model.classes)), []
