// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// A model of the bandwidth between accelerators and the network in Gb/s, for the comparison of placements.
///
///     flow(accelerator, NIC) = min(port rate, efficiency x narrowest PCIe link on the way) x share(path)
///     pair                   = min(sum over NICs of their worst flow, efficiency x sum of the accelerators' links)
///
/// All constants are here. The shares come from published measurements of aligned and unaligned placements; decisions depend only on
/// their order, which is that of the path classes:
///
/// | measured | aligned | unaligned | ratio |
/// | --- | --- | --- | --- |
/// | A4, 8 x B200, all_gather 8 GB: own NIC, any NIC (GB/s; arXiv 2506.23628) | 46.6 PIX | 29.2 mixed | 0.63 |
/// | ND H100 v5, NIXL write 1 GiB: same, other NUMA node (GB/s; DRANET's site) | 39.1 | 27.5 SYS | 0.70 |
/// | p4d, all_reduce: own root, any (GB/s; same) | 11.4 PHB | 6.0 mixed | 0.53 |
/// | GB300 on Azure, all_reduce: same, other node (GB/s; same) | 56 | 25 SYS | 0.45 |
/// | GB200 on OCI, all_reduce: same, other node (GB/s; same) | 46 | 25 SYS | 0.54 |
/// | ND MI300X v5, 4 x 4: same, other node (GB/s; same) | 42.5 | 6.1 SYS | 0.14 |
package enum Bandwidth {
    /// Share of a link's rate that carries data: 256 bytes of payload have up to 26 bytes of header, sequence number, checksum and framing
    /// (PCI Express Base, sections 3.1 and 4.2).
    package static let efficiency = 256.0 / 282.0

    /// Returns the share of the rate that a path sustains.
    package static func share(_ path: Path, of accelerator: Device) -> Double {
        // On its own node, traffic to a coherently attached GPU uses the processor's mesh instead of PCIe.
        let isCoherent = accelerator.function.map(Catalog.isCoherentlyAttached) == true
        switch path.pathClass {
        // Peer to peer inside switches: the full rate.
        case .pix, .pxb: return 1
        // Through one host bridge: no measurements are published; between the neighbouring classes.
        case .phb: return isCoherent ? 1 : 0.9
        // Between host bridges: with SYS at 0.53, A4's mixture (2 PIX, 2 NODE, 4 SYS) implies 0.46 to 0.52 for NODE; slightly more, so that
        // it is above SYS.
        case .node: return isCoherent ? 1 : 0.55
        // The median of the measured ratios above.
        case .sys: return 0.53
        case .unknown: return 0.5
        }
    }

    /// Returns Gb/s between one accelerator and one NIC; nil if neither the port's nor a link's rate is known.
    package static func gbps(_ path: Path, _ accelerator: Device) -> Double? {
        guard let rate = [path.portGbps, path.pcieGbps.map { $0 * efficiency }].compactMap({ $0 }).min() else { return nil }
        return rate * share(path, of: accelerator)
    }

    /// Returns Gb/s of a group of accelerators with their NICs; nil if any flow is unknown.
    package static func gbps(accelerators: [Device], nics: [Device], links: [PairLink]) -> Double? {
        var sum = 0.0
        for nic in nics {
            let flows = links.filter { $0.nic == nic.address }.map(\.gbps)
            guard let worst = flows.map({ $0 ?? -1 }).min(), worst >= 0 else { return nil }
            sum += worst
        }
        let own = accelerators.compactMap(\.function).filter(Catalog.hasRealLink).compactMap { $0.link?.gigabitsPerSecond }
        if own.count == accelerators.count { sum = min(sum, own.reduce(0, +) * efficiency) }
        return sum
    }
}
