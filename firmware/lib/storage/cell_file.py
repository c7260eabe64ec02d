"""A builder's own cell model: `/cell.json`, as `cellsteward fit` writes it.

Start-up code only; imported for a moment. Never raises: what is wrong comes back as a sentence.
"""

import json
import os

from bms.cell_model import CellModel, CellModelError
from storage.slots import ENOENT

_MAX_BYTES = 16384


def load(path, chemistry):
    """(model, problem): the model in a file, None if there is no file or if it can not be used for
    this chemistry; then `problem` says why, unless the file is simply not there."""
    try:
        if os.stat(path)[6] > _MAX_BYTES:
            return None, "%s is too large for a cell file" % path
        with open(path) as file:
            model = CellModel(json.load(file))
    except OSError as failure:
        if failure.args[0] == ENOENT:
            return None, None
        return None, "%s can not be read: %s" % (path, failure)
    except CellModelError as refused:
        return None, "%s: %s" % (path, refused)
    except ValueError:
        return None, "%s is no JSON" % path
    if model.chemistry != chemistry:
        return None, "%s describes a cell of '%s', but the pack is configured as '%s'" % (
            path,
            model.chemistry,
            chemistry,
        )
    return model, None
