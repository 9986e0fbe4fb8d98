import hashlib
import io

import numpy as np
from PIL import Image

from ganglion.core import made_up
from ganglion.core.made_up_picture import picture
from ganglion.core.manifest import TensorSpec


def test_the_picture_is_a_png_that_anybody_reads() -> None:
    image = np.asarray(Image.open(io.BytesIO(picture())))

    assert image.shape == (96, 128, 3)
    assert image.std() > 50


def test_the_picture_is_the_same_on_every_machine() -> None:
    assert hashlib.sha256(picture()).hexdigest() == "1bfe3530ae6372d3e6b1693d36c27b39a8da4b72df50086fd8ce9826c03bb6e2"


def test_a_model_that_takes_files_is_tried_with_pictures() -> None:
    made = made_up.make_up([TensorSpec("image", "BYTES", (-1,))], rows=2)

    assert made["image"].tolist() == [picture(), picture()]
