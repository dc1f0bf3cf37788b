"""The cells of Excel workbooks that strangers send: the first sheet, within limits of size."""

import io
import zipfile
from collections.abc import Sequence

from models.errors import DataError
from models.findings import error

Rows = Sequence[Sequence[object]]
EXCEL = b"PK\x03\x04"
"""How a workbook begins."""
UNPACKED_MOST = 64 * 2**20
"""A workbook that would take more room than this is not opened."""
PARTS_MOST = 2000


def workbook_rows(content: bytes, rows_most: int, columns_most: int) -> Rows:
    """Return the cells of a workbook's first sheet, at most one row and column more than allowed; what would unpack to too much is not unpacked.

    Raises
    ------
    DataError
        If it is no workbook, or too large.
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
        size = sum(part.file_size for part in parts)
        if size > UNPACKED_MOST or len(parts) > PARTS_MOST:
            words = f"would unpack to {size / 2**20:.0f} MiB in {len(parts)} parts; {UNPACKED_MOST // 2**20} MiB are possible"
            raise DataError([error("file", words)])
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        found = sheet.iter_rows(max_row=rows_most + 2, max_col=columns_most + 1, values_only=True)
        rows = [_trimmed(row) for row in found]
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, SyntaxError, OSError) as fault:
        raise DataError([error("file", f"is no Excel workbook that can be read: {str(fault)[:120]}")]) from None
    return [row for row in rows if row]


def _trimmed(row: Sequence[object]) -> list[object]:
    cells = list(row)
    while cells and cells[-1] is None:
        cells.pop()
    return cells
