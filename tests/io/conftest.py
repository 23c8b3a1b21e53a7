import pytest

from scan_files import GEOMETRIES


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES.keys())
def geometry(request):
    """Geometries that files can have, one after the other."""
    return request.param
