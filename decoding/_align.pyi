import numpy as np
import numpy.typing as npt

def viterbi(
    log_likelihoods: npt.NDArray[np.float32],
    scale: float,
    beam: float,
    columns: npt.NDArray[np.int32],
    loop_log_probs: npt.NDArray[np.float32],
    final_log_probs: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int32],
    arc_log_probs: npt.NDArray[np.float32],
    starts: npt.NDArray[np.int32],
    start_log_probs: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int32], float]: ...
