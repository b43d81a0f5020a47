"""What programs read of the plain files: a Data Package (Frictionless), and Croissant. Functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.exports.files import FLAT, FLAT_COUNTS, FLAT_MOMENTS, FULL_TEXT, Exported

TITLE = "Op-eds of Korea JoongAng Daily"
RIGHTS = (
    "The texts are the newspaper's and its authors'. Its terms forbid re-publication and databases; a right to hold "
    "this archive is needed. Private: not for distribution."
)
KINDS_OF_FILE = {".parquet": "application/vnd.apache.parquet", ".jsonl.gz": "application/gzip", ".csv": "text/csv"}
CONTEXT = {  # of Croissant 1.0, as its specification gives it
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def datapackage(files: Sequence[Exported]) -> dict[str, Any]:
    """Return a Data Package of these files, with the columns of the tabular ones."""
    return {
        "profile": "data-package",
        "name": "joongang-opeds",
        "title": TITLE,
        "description": RIGHTS,
        "resources": [_resource(file) for file in files],
    }


def _resource(file: Exported) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": file.name.replace(".", "-").replace("/", "-").lower(),
        "path": file.name,
        "hash": f"sha256:{file.sha256}",
    }
    if not file.name.endswith(".parquet"):  # of which frictionless counts no bytes; `manifest.json` has them
        told["bytes"] = file.bytes
    ending = next((end for end in KINDS_OF_FILE if file.name.endswith(end)), "")
    if ending:
        names = [name for name in FLAT if ending != ".csv" or name not in FULL_TEXT]
        told |= {"mediatype": KINDS_OF_FILE[ending], "schema": {"fields": [_field(name) for name in names]}}
    if ending == ".csv":
        told |= {"profile": "tabular-data-resource", "encoding": "utf-8"}
    return told


def _field(name: str) -> dict[str, str]:
    kind = "datetime" if name in FLAT_MOMENTS else "integer" if name in FLAT_COUNTS else "string"
    return {"name": name, "type": "date" if name == "published_day" else kind, "description": FLAT[name]}


def croissant(files: Sequence[Exported]) -> dict[str, Any]:
    """Return Croissant metadata of the Parquet files among these."""
    tables = [file for file in files if file.name.endswith(".parquet")]
    kinds = dict.fromkeys(FLAT_MOMENTS, "sc:DateTime") | dict.fromkeys(FLAT_COUNTS, "sc:Integer")
    kinds["published_day"] = "sc:Date"
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "joongang-opeds",
        "description": TITLE,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "usageInfo": RIGHTS,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.name,
                "name": file.name,
                "contentUrl": file.name,
                "contentSize": f"{file.bytes} B",
                "encodingFormat": "application/x-parquet",
                "sha256": file.sha256,
            }
            for file in tables
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": (record := file.name.removesuffix(".parquet")),
                "name": record,
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"{record}/{name}",
                        "name": name,
                        "description": said,
                        "dataType": kinds.get(name, "sc:Text"),
                        "source": {"fileObject": {"@id": file.name}, "extract": {"column": name}},
                    }
                    for name, said in FLAT.items()
                ],
            }
            for file in tables
        ],
    }
