// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Hardware
package import Primitives
import ResourceAPI
import SliceModel
package import Topology

/// The result of `nearside explain`: a comparison of an allocation with the best one on its machine.
package struct Explanation: Hashable, Sendable, Codable {
    /// An accelerator of the allocation with its NICs.
    package struct Entry: Hashable, Sendable, Codable {
        package var accelerator: String
        package var nics: [String]
        package var path: String
        package var gbps: Double?
        /// NICs of the accelerator's pair; ``ownPath`` is the path to them.
        package var ownNICs: [String]
        package var ownPath: String?
        package var isAligned: Bool
    }

    package var entries: [Entry]
    /// NICs that no accelerator of the allocation needs.
    package var spareNICs: [String]
    package var gbps: Double?
    package var bestGbps: Double?
    /// Predicted bandwidth as a share of the best allocation's; 1 is the best.
    package var share: Double
    package var bestAccelerators: [String]
    package var bestNICs: [String]
    /// Warnings, such as devices that this machine lacks.
    package var remarks: [String]

    /// - Parameter names: PCI addresses, interface names, or names of devices in slices.
    package init(devices names: [String], of topology: MachineTopology, remarks: [String] = []) throws(InputError) {
        var accelerators: [Device] = []
        var nics: [Device] = []
        for name in names {
            guard let device = Self.device(name, topology.machine) else {
                throw InputError(
                    .unknown, "\"\(name)\"", "neither an accelerator nor a NIC of \(topology.machine.name ?? "this machine")",
                    advice: "nearside devices lists them")
            }
            if device.kind == .accelerator {
                accelerators.append(device)
            } else if device.function != nil {
                nics.append(device)
            }
        }
        guard !accelerators.isEmpty else {
            throw InputError(.missing, "allocation", "no accelerator to compare distances of NICs with")
        }
        guard !nics.isEmpty else {
            throw InputError(.missing, "allocation", "no NIC to compare distances of accelerators with")
        }
        let allocation = Allocation(accelerators: accelerators, nics: nics, of: topology)
        let best = Allocation.best(accelerators: accelerators.count, nics: nics.count, of: topology)
        entries = accelerators.map { accelerator in
            let pair = allocation.pairing.pairs.first { $0.accelerators.contains { $0.address == accelerator.address } }
            let links = pair?.links.filter { $0.accelerator == accelerator.address } ?? []
            let own = topology.pair(of: accelerator)
            let ownWorst = own?.links.filter { $0.accelerator == accelerator.address }.map(\.path.pathClass).max()
            let worst = links.map(\.path.pathClass).max()
            return Entry(
                accelerator: accelerator.address, nics: links.map(\.nic), path: worst?.name ?? "none",
                gbps: links.isEmpty || links.contains { $0.gbps == nil } ? nil : links.compactMap(\.gbps).reduce(0, +),
                ownNICs: own?.nics.map(\.address) ?? [], ownPath: ownWorst?.name,
                isAligned: worst.map { given in ownWorst.map { given <= $0 } ?? false } ?? false)
        }
        spareNICs = allocation.pairing.unpairedNICs.map(\.address)
        gbps = allocation.gbps
        bestGbps = best.gbps
        share = best.worth > 0 ? min(1, allocation.worth / best.worth) : 0
        bestAccelerators = best.pairing.pairs.flatMap(\.accelerators).map(\.address)
        bestNICs = best.pairing.pairs.flatMap(\.nics).map(\.address)
        self.remarks = remarks + topology.warnings
    }

    /// Reads the allocation of a ResourceClaim or of its status, as JSON.
    package init(claim bytes: [UInt8], of topology: MachineTopology) throws(InputError) {
        var claim: ResourceClaim
        do throws(JSONError) {
            claim = try ResourceClaim(json: bytes)
            if claim.status == nil { claim.status = try ResourceClaimStatus(json: bytes) }
        } catch { throw InputError(.malformed, "claim", "neither a ResourceClaim nor the status of one: \(error)") }
        guard let results = claim.status?.allocation?.devices.results, !results.isEmpty else {
            throw InputError(
                .missing, claim.metadata.name.map { "claim \($0)" } ?? "claim", "not allocated: its status has no devices")
        }
        var names: [String] = []
        var remarks: [String] = []
        for result in results {
            if let device = Self.device(result.device, topology.machine) {
                names.append(device.address)
            } else {
                remarks.append("\(result.driver)'s device \(result.device) is not found in \(topology.machine.name ?? "this machine")")
            }
        }
        if names.isEmpty {
            throw InputError(
                .unknown, claim.metadata.name.map { "claim \($0)" } ?? "claim",
                "none of its devices is this machine's: \(remarks.joined(separator: ", "))", advice: "use --machine for that of its node")
        }
        try self.init(devices: names, of: topology, remarks: remarks)
    }

    /// Returns a device by any of its names. The vendors' drivers use `gpu-0` and `neuron-device-0`, by index.
    private static func device(_ name: String, _ machine: Machine) -> Device? {
        machine.devices.first { device in
            if device.address == name || device.sliceName == name || device.netdevs.contains(where: { $0.name == name }) { return true }
            guard let index = device.function?.accelerator?.index else { return false }
            return name == "gpu-\(index)" || name == "neuron-device-\(index)"
        }
    }

    package var text: String {
        var text = remarks.map { "note: \($0)\n" }.joined()
        var table = TextTable(["ACCELERATOR", "NICS", "PATH", "Gb/s", "BEST", ""])
        for entry in entries {
            table.add([
                entry.accelerator, entry.nics.isEmpty ? "none" : entry.nics.joined(separator: " "), entry.path,
                entry.gbps.map { String(Int($0)) } ?? "?", entry.ownPath ?? "none",
                entry.isAligned ? "as near as possible" : "the pair's NICs are \(entry.ownNICs.joined(separator: " "))",
            ])
        }
        text += table.text
        if !spareNICs.isEmpty { text += "NICs that no accelerator needs: \(spareNICs.joined(separator: " "))\n" }
        let aligned = entries.count(where: \.isAligned)
        text += "\(aligned) of \(entries.count) accelerators have the nearest NICs of this machine\n"
        let rates = gbps.flatMap { given in bestGbps.map { ": \(Int(given)) of \(Int($0)) Gb/s" } } ?? ""
        text += "predicted \(Int((share * 100).rounded()))% of the best allocation with the same number of devices\(rates)\n"
        if !isBest { text += "the best allocation is \(bestAccelerators.joined(separator: " ")) with \(bestNICs.joined(separator: " "))\n" }
        return text
    }

    package var isBest: Bool { entries.allSatisfy(\.isAligned) && share > 0.995 }
}
