"""application/x-npz: numpy.savez's archive of one array, or of several of which one is named like the model's input.

    numpy.savez_compressed(file, image=batch)

The archive says how large its members are, and what claims too much is refused before anything is unpacked.
"""

import io
import zipfile

from inference.http.errors import RequestError, bad_request

MAX_UNPACKED_BYTES = 25 * 2**20  # as large as a request may be that is not compressed
MAX_MEMBERS = 64
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # numpy's two
ENCRYPTED = 0x1
_CENTRAL_ENTRY = b"PK\x01\x02"
_SUFFIX = ".npy"


def npz_member(body: bytes, name: str) -> bytes:
    """The .npy file of the array `name`, or of the only array; raises RequestError."""
    wanted = f"expected a .npz file of one array, or of several with one called {name!r}"
    # zipfile makes an object of each entry that it lists: count them before it does.
    if (members := body.count(_CENTRAL_ENTRY)) > MAX_MEMBERS:
        raise bad_request(f"the .npz file has {members} members, allowed are {MAX_MEMBERS}; {wanted}")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return _read(archive, _chosen(archive, name, wanted), wanted)
    except RequestError:
        raise
    except Exception as error:  # zipfile raises many types on hostile files; all of them mean "not such a file"
        raise bad_request(
            f"the .npz file cannot be read ({type(error).__name__}: {str(error)[:100]}); {wanted}"
        ) from None


def _chosen(archive: zipfile.ZipFile, name: str, wanted: str) -> zipfile.ZipInfo:
    arrays = {member.filename.removesuffix(_SUFFIX): member for member in archive.infolist()}
    if name in arrays:
        return arrays[name]
    if len(arrays) != 1:
        raise bad_request(f"the .npz file has arrays {sorted(arrays)[:5]}; {wanted}")
    return next(iter(arrays.values()))


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, wanted: str) -> bytes:
    if member.compress_type not in METHODS or member.flag_bits & ENCRYPTED:
        raise bad_request(f"the array is stored in a way that numpy does not use; {wanted}")
    if member.file_size > MAX_UNPACKED_BYTES:
        raise bad_request(f"the array has {member.file_size} bytes, allowed are {MAX_UNPACKED_BYTES}; {wanted}")
    with archive.open(member) as stream:
        return stream.read(member.file_size)  # what unpacks to more fails by its checksum
