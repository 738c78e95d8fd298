"""What an evaluation finds, as it stands in docs/results/*.json."""

import msgspec


class LeadResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Figures of one lead: means over records but where the name says else, None where no record was judged.

    Attributes
    ----------
    n, left_out : int
        Records judged; records in which the truth is too small or something has a gap.
    r, r_median, r_p10 : float or None
        Pearson's correlation: mean, median and 10th percentile.
    rmse_uv, mae_uv, snr_db : float or None
        Errors in uV; power of the truth over that of the error.
    """

    n: int
    left_out: int
    r: float | None = None
    rmse_uv: float | None = None
    mae_uv: float | None = None
    snr_db: float | None = None
    r_median: float | None = None
    r_p10: float | None = None


class BandResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures in one band.

    Attributes
    ----------
    mean_r : float or None
        Mean over the estimated chest leads; None where none was judged.
    leads : dict of str to LeadResult
        Each estimated lead.
    """

    mean_r: float | None
    leads: dict[str, LeadResult]


class Exact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The largest difference of what must be exact, in mV.

    Attributes
    ----------
    measured_max_abs_mv : float
        Measured leads, out against in.
    computed_max_abs_mv : float
        Computed leads against I and II.
    """

    measured_max_abs_mv: float
    computed_max_abs_mv: float


class Results(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is found of a model for one set of leads.

    Attributes
    ----------
    model, model_sha256 : str
        Its name, and the hash of its ONNX file.
    leads_in : tuple of str
        Leads it was given.
    n_records : int
        Records judged in the first band that has any.
    n_records_by_band : dict of str to int
        By the name of the band.
    look_ahead_ms : float
        How long an estimate waited.
    ways : dict of str to dict
        Figures by way (``offline``, ``streamed``, ``linear``; others may come) and by band.
    exact : Exact
        Of offline and streamed together.
    hop_max_abs_mv : float
        Largest difference between frames at every hop of the live path and as few as can be.
    """

    model: str
    model_sha256: str
    leads_in: tuple[str, ...]
    n_records: int
    n_records_by_band: dict[str, int]
    look_ahead_ms: float
    ways: dict[str, dict[str, BandResult]]
    exact: Exact
    hop_max_abs_mv: float
