import pytest
from placed import GEOMETRIES


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES.keys())
def geometry(request):
    """Geometries that files can have, one after the other."""
    return request.param
