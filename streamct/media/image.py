"""Still pictures in and out: the names that the other rooms use."""

from streamct.media.image_read import (
    PICTURE_EXTENSIONS,
    WRITABLE_EXTENSIONS,
    Picture,
    list_pictures,
    read_picture,
)
from streamct.media.image_write import check_writable, default_output, encode_png, save_png, write_picture

__all__ = [
    "PICTURE_EXTENSIONS",
    "WRITABLE_EXTENSIONS",
    "Picture",
    "check_writable",
    "default_output",
    "encode_png",
    "list_pictures",
    "read_picture",
    "save_png",
    "write_picture",
]
