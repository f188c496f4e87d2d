"""One chunk of an LSTM(P) layer as one autograd function with a backward pass written by hand.

The equations (Sak, Senior and Beaufays 2014, section 2), all gates of N streams at frame t::

    i = sigmoid(W_ix x + W_ir r(t-1) + p_i * c(t-1) + b_i)
    f = sigmoid(W_fx x + W_fr r(t-1) + p_f * c(t-1) + b_f)
    g = tanh   (W_gx x + W_gr r(t-1)                + b_g)
    c = clip(f * c(t-1) + i * g)
    o = sigmoid(W_ox x + W_or r(t-1) + p_o * c(t)   + b_o)
    m = o * tanh(c)
    r = W_p m

Without a projection r = m and P = C; without peepholes p_i, p_f and p_o are 0.

Automatic differentiation of this loop spends most of its time on small kernels. Here the input
product is one matrix product per chunk, the recurrence keeps two products per frame, and each
weight gradient is one product over all frames of the chunk. Matrix products run in the type of
``x`` (float64, float32 or bfloat16); cell states, gates and gradients of gates are kept in float32
(float64 where ``x`` is).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


class LstmpChunk(torch.autograd.Function):
    """``(x, c0, r0, weights...) -> (r, cT, rT)`` for one chunk of T frames of N streams.

    Call through `lstmp_chunk`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        c0: Tensor,
        r0: Tensor,
        w_x: Tensor,
        w_r: Tensor,
        bias: Tensor,
        peep_i: Tensor | None,
        peep_f: Tensor | None,
        peep_o: Tensor | None,
        w_p: Tensor | None,
        cell_clip: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the recurrence and keep what the backward pass needs."""
        T, N, D = x.shape
        C, P = len(bias) // 4, w_r.shape[1]
        low = x.dtype
        high = torch.float64 if low == torch.float64 else torch.float32
        w_x_low, w_r_low = w_x.to(low), w_r.to(low)
        w_p_low = None if w_p is None else w_p.to(low)
        # tanh(a) = 2 sigmoid(2a) - 1: torch's sigmoid is many times faster than its tanh on CPUs,
        # and with the rows of g doubled (exact in binary) one sigmoid serves i, f and g.
        double = torch.ones(4 * C, dtype=high, device=x.device)
        double[2 * C : 3 * C] = 2
        w_x_doubled = (w_x * double.unsqueeze(1)).to(low)
        w_r_doubled = (w_r * double.unsqueeze(1)).to(low)
        minus_one = torch.tensor(-1.0, dtype=high, device=x.device)
        pre = torch.addmm((bias * double).to(low), x.reshape(T * N, D), w_x_doubled.t())
        pre = pre.view(T, N, 4 * C)
        # Types are changed by copies of their own: an operation on mixed types makes more of them.
        gates = pre if low == high else torch.empty(T, N, 4 * C, dtype=high, device=x.device)
        tanh_c = torch.empty(T, N, C, dtype=high, device=x.device)
        c = torch.empty(T + 1, N, C, dtype=high, device=x.device)
        r = torch.empty(T + 1, N, P, dtype=low, device=x.device)
        m = r[1:] if w_p is None else torch.empty(T, N, C, dtype=low, device=x.device)
        c[0] = c0
        r[0] = r0
        peep_if = None
        if peep_i is not None and peep_f is not None:
            peep_if = torch.stack((peep_i, peep_f))
        w_r_t, w_p_t = w_r_doubled.t(), None if w_p_low is None else w_p_low.t()
        scratch = torch.empty(N, C, dtype=high, device=x.device)
        for t in range(T):
            torch.addmm(pre[t], r[t], w_r_t, out=pre[t])
            gate = pre[t] if low == high else gates[t].copy_(pre[t])
            gate_if = gate[:, : 2 * C].view(N, 2, C)
            if peep_if is not None:
                gate_if.addcmul_(peep_if, c[t].unsqueeze(1))
            gate[:, : 3 * C].sigmoid_()
            g, o = gate[:, 2 * C : 3 * C], gate[:, 3 * C :]
            torch.add(minus_one, g, alpha=2, out=g)
            cell = torch.mul(gate_if[:, 1], c[t], out=c[t + 1])
            cell.addcmul_(gate_if[:, 0], g).clamp_(-cell_clip, cell_clip)
            if peep_o is not None:
                o.addcmul_(peep_o, cell)
            o.sigmoid_()
            squashed = torch.mul(cell, 2.0, out=tanh_c[t]).sigmoid_()
            torch.add(minus_one, squashed, alpha=2, out=squashed)
            if low == high:
                torch.mul(o, squashed, out=m[t])
            else:
                m[t] = torch.mul(o, squashed, out=scratch)
            if w_p_t is not None:
                torch.mm(m[t], w_p_t, out=r[t + 1])
        ctx.save_for_backward(
            x, c, r, gates, tanh_c, m, w_x_low, w_r_low, w_p_low, peep_i, peep_f, peep_o
        )
        ctx.cell_clip = cell_clip
        ctx.set_materialize_grads(False)
        return r[1:], c[T].clone(), r[T].clone()

    @staticmethod
    def backward(
        ctx: Any, d_r: Tensor | None, d_c_last: Tensor | None, d_r_last: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Truncated BPTT over the chunk: gradients end at its first frame."""
        x, c, r, gates, tanh_c, m, w_x, w_r, w_p, peep_i, peep_f, peep_o = ctx.saved_tensors
        T, N, D = x.shape
        C, P = c.shape[2], w_r.shape[1]
        low, high = x.dtype, c.dtype
        i, f, g, o = gates.view(T, N, 4, C).unbind(2)
        c_prev = c[:T]

        # What multiplies the gradients in the loop does not depend on them: one pass per chunk.
        # d_pre_o = d_m * to_o;  d_c += d_m * to_c;  d_pre_{i,f,g} = d_c * to_ifg
        # d_c(t-1) = d_c * back. sigmoid_backward(a, y) is a y (1 - y), tanh_backward a (1 - y^2).
        to_o = aten.sigmoid_backward(tanh_c, o)
        to_c = aten.tanh_backward(o, tanh_c)
        if peep_o is not None:
            to_c.addcmul_(to_o, peep_o)
        to_ifg = torch.empty(T, N, 3, C, dtype=high, device=x.device)
        aten.sigmoid_backward(g, i, grad_input=to_ifg[:, :, 0])
        aten.sigmoid_backward(c_prev, f, grad_input=to_ifg[:, :, 1])
        aten.tanh_backward(i, g, grad_input=to_ifg[:, :, 2])
        back = f.clone()
        if peep_i is not None:
            back.addcmul_(to_ifg[:, :, 0], peep_i).addcmul_(to_ifg[:, :, 1], peep_f)
        least, greatest = c[1:].aminmax()
        if float(least) <= -ctx.cell_clip or float(greatest) >= ctx.cell_clip:
            inside = c[1:].abs() < ctx.cell_clip
            to_ifg *= inside.unsqueeze(2)
            back *= inside
            # A clipped cell passes nothing to i, f, g and c(t-1); o still sees the clipped value.

        d_pre = torch.empty(T, N, 4 * C, dtype=low, device=x.device)
        d_rs = torch.empty(T, N, P, dtype=low, device=x.device)
        if d_r is None:
            d_rs.zero_()
        else:
            d_rs.copy_(d_r)
        if d_r_last is not None:
            d_rs[T - 1] += d_r_last
        d_c = torch.zeros(N, C, dtype=high, device=x.device)
        if d_c_last is not None:
            d_c += d_c_last
        d_m_projected = None if w_p is None else torch.empty(N, C, dtype=low, device=x.device)
        d_m_high = None if low == high else torch.empty(N, C, dtype=high, device=x.device)
        d_gates = d_pre
        if low != high:  # one frame's, which every frame reuses
            d_gates = torch.empty(1, N, 4 * C, dtype=high, device=x.device).expand(T, N, 4 * C)
        d_peep_if = torch.zeros(N, 2, C, dtype=high, device=x.device)
        d_peep_o = torch.zeros(N, C, dtype=high, device=x.device)
        for t in range(T - 1, -1, -1):
            if t < T - 1:
                torch.addmm(d_rs[t], d_pre[t + 1], w_r, out=d_rs[t])
            d_m = d_rs[t] if w_p is None else torch.mm(d_rs[t], w_p, out=d_m_projected)
            if d_m_high is not None:
                d_m = d_m_high.copy_(d_m)
            d_ifg, d_o = d_gates[t, :, : 3 * C].view(N, 3, C), d_gates[t, :, 3 * C :]
            d_c.addcmul_(d_m, to_c[t])
            torch.mul(d_m, to_o[t], out=d_o)
            torch.mul(d_c.unsqueeze(1), to_ifg[t], out=d_ifg)
            if d_gates is not d_pre:
                d_pre[t] = d_gates[t]
            if peep_o is not None:
                d_peep_if.addcmul_(d_ifg[:, :2], c[t].unsqueeze(1))
                d_peep_o.addcmul_(d_o, c[t + 1])
            d_c.mul_(back[t])

        rows = d_pre.view(T * N, 4 * C)
        d_w_x = torch.mm(rows.t(), x.reshape(T * N, D)).to(high)
        d_w_r = torch.mm(rows.t(), r[:T].reshape(T * N, P)).to(high)
        d_w_p = None
        if w_p is not None:
            d_w_p = torch.mm(d_rs.view(T * N, P).t(), m.view(T * N, C)).to(high)
        d_bias = rows.sum(0, dtype=high)
        d_peeps: tuple[Tensor | None, ...] = (None, None, None)
        if peep_o is not None:
            d_peeps = (*d_peep_if.sum(0), d_peep_o.sum(0))
        needs = ctx.needs_input_grad
        d_x = torch.mm(rows, w_x).view(T, N, D) if needs[0] else None
        d_c0 = d_c if needs[1] else None
        d_r0 = torch.mm(d_pre[0], w_r) if needs[2] else None
        return d_x, d_c0, d_r0, d_w_x, d_w_r, d_bias, *d_peeps, d_w_p, None


def lstmp_chunk(
    x: Tensor,
    c0: Tensor,
    r0: Tensor,
    w_x: Tensor,
    w_r: Tensor,
    bias: Tensor,
    peep_i: Tensor | None = None,
    peep_f: Tensor | None = None,
    peep_o: Tensor | None = None,
    w_p: Tensor | None = None,
    cell_clip: float = 50.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one LSTM(P) layer over a chunk.

    Args:
        x: inputs ``[T, N, D]``; its type is the type of all matrix products.
        c0: cell states before the chunk ``[N, C]``, float32 (float64 if ``x`` is).
        r0: outputs before the chunk ``[N, P]``, of x's type; P = C without projection.
        w_x: input weights ``[4C, D]``, gate rows i, f, g, o.
        w_r: recurrent weights ``[4C, P]``.
        bias: ``[4C]``.
        peep_i: diagonal peephole of the input gate on c(t-1) ``[C]``; all three or none.
        peep_f: of the forget gate on c(t-1) ``[C]``.
        peep_o: of the output gate on c(t) ``[C]``.
        w_p: projection ``[P, C]``, if any.
        cell_clip: bound of the cell states.

    Returns:
        Outputs ``[T, N, P]`` of x's type, and the last ``c [N, C]`` and ``r [N, P]``.
    """
    result: tuple[Tensor, Tensor, Tensor] = LstmpChunk.apply(  # type: ignore[no-untyped-call]
        x, c0, r0, w_x, w_r, bias, peep_i, peep_f, peep_o, w_p, cell_clip
    )
    return result
