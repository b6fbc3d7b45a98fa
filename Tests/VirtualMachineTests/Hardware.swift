// SPDX-License-Identifier: Apache-2.0

import Discovery
import Glibc
import Hardware
import Linux
import Netlink
import Testbed
import Testing

/// The virtual machine of `hack/testbed/vm` in the form of a GPU server: on each of four switches a ConnectX-7 with
/// its RDMA device, and an accelerator; on three of them an EFA; and a ConnectX-6 that supports virtual functions.
enum Room {
    /// These tests load modules and remove devices, so that they run only in the virtual machine.
    static let isHere = kernel == "bookworm"
    /// The machine with a newer kernel, for which the modules are not built.
    static let isNewer = kernel == "trixie-backports"
    private static let kernel = getenv("NEARSIDE_VIRTUAL_MACHINE").map { String(cString: $0) }
    static let reason = "needs the virtual machine: hack/test --vm"

    struct Layout: Sendable {
        var nics: [PCIAddress]
        var accelerators: [PCIAddress]
        var efas: [PCIAddress]
        /// The NIC with virtual functions.
        var physical: PCIAddress
    }

    /// The hardware, which the first caller sets up.
    static let layout = Result { try dress() }

    static func snapshot(in namespace: NetworkNamespace? = nil) throws -> Machine {
        let discovery = Discovery(root: .live())
        guard let namespace else { return try discovery.snapshot().machine }
        return try namespace.run(
            { () throws(NetlinkError) in try discovery.snapshot().machine }, entering: { NetlinkError("enter the namespace", $0) })
    }

    @discardableResult
    static func run(_ line: String) throws -> String {
        let words = line.split(separator: " ").map(String.init)
        let ended = try ChildProcess.run("/usr/bin/env", words)
        guard ended.status == 0 else { throw Failed(description: "\(line): \(ended.output)") }
        return ended.output
    }

    struct Failed: Error, CustomStringConvertible { var description: String }

    static func write(_ text: String, to path: String) throws {
        // Files of the kernel are written with one call.
        try Descriptor.open(path, flags: O_WRONLY).write(all: [UInt8](text.utf8))
    }

    private static func dress() throws -> Layout {
        try run("modprobe -a ib_uverbs rdma_ucm rdma_rxe")
        let bare = try snapshot()
        func functions(_ vendor: String, _ device: String) -> [PCIAddress] {
            bare.functions.filter { $0.vendor == vendor && $0.device == device }.map(\.address)
        }
        let nics = functions("8086", "10d3")
        let spares = functions("1b36", "0005")
        let controllers = functions("1b36", "0010")
        guard nics.count == 4, spares.count == 8, controllers.count == 1 else {
            throw Failed(description: "this is not the machine that hack/testbed/vm/run makes")
        }
        var masks: [String] = nics.map { "+\($0)=15b3:1021:020000:15b30023" }
        var layout = Layout(nics: nics, accelerators: [], efas: [], physical: controllers[0])
        for (number, spare) in spares.enumerated() {
            if number % 2 == 0 {
                // The last switch has a Trainium instead of an H100.
                masks.append(number == 6 ? "\(spare)=1d0f:7364:088000:1d0f7364" : "\(spare)=10de:2330:030200:10de16c1")
                layout.accelerators.append(spare)
            } else if number < 6 {
                masks.append("\(spare)=1d0f:efa2:020000:1d0fefa2")
                layout.efas.append(spare)
            }
        }
        masks.append("+\(layout.physical)=15b3:101d:020000:15b30016")
        for number in 1...2 {
            var virtual = layout.physical
            virtual.function = UInt8(number)
            masks.append("+\(virtual)=15b3:101e:020000:15b30016")
        }
        let modules = "\(Place.project)/.build-tools/vm/modules"
        try run("insmod \(modules)/mask_ids.ko function=\(masks.joined(separator: ","))")
        try run(
            "insmod \(modules)/shape_rdma.ko beside=\(nics.map(\.description).joined(separator: ",")) alone=\(layout.efas.map(\.description).joined(separator: ","))"
        )
        return layout
    }
}
