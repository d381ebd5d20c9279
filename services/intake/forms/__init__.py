"""Police forms that are not ours: the north and the south form of NSPCC 2009 table 31.

Each form is a mapping table (`north.yaml`, `south.yaml`) that can be read beside its source; one reader and
one writer are driven by it. Forms come as JSON of their own fields or as rows of a CSV export.
"""

from services.intake.forms.describing import describe, not_carried
from services.intake.forms.export import CsvRow, rows_of
from services.intake.forms.mapping import FormName
from services.intake.forms.reading import FormReading, read_form
from services.intake.forms.writing import write_csv, write_form

__all__ = [
    "CsvRow", "FormName", "FormReading", "describe", "not_carried", "read_form", "rows_of", "write_csv",
    "write_form",
]  # fmt: skip
