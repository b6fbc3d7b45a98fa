// SPDX-License-Identifier: Apache-2.0

import Discovery
import Glibc
import Hardware
import Logging
import NetworkModel
import Testbed
import Testing
import Topology

/// Discovery on a kernel with hardware, run by `hack/test --vm`.
/// vm/run ends the machine long before, unless faults are requested.
@Suite(.enabled(if: Room.isHere, "\(Room.reason)"), .serialized, .timeLimit(.minutes(30)))
struct LiveKernelTests {
    @Test
    func `functions are found with their ids, switches and NUMA nodes`() throws {
        let layout = try Room.layout.get()
        let machine = try Room.snapshot()
        #expect(machine.numaNodes == [NUMANode(id: 0, distances: [10, 21]), NUMANode(id: 1, distances: [21, 10])])
        for (number, address) in (layout.nics + layout.accelerators).enumerated() {
            let function = try #require(machine[address])
            let isSecondNode = number % 4 >= 2
            #expect(function.numaNode == (isSecondNode ? 1 : 0))
            #expect(function.pcieRoot == (isSecondNode ? "pci0000:80" : "pci0000:20"))
            #expect(function.bridges.count == 3)
        }
        let kinds = machine.devices.compactMap { $0.function.map { "\($0.vendor):\($0.device) \($0.classCode) \($0.subsystem ?? "")" } }
        #expect(kinds.count { $0 == "15b3:1021 020000 15b3:0023" } == 4)
        #expect(kinds.count { $0 == "10de:2330 030200 10de:16c1" } == 3)
        #expect(kinds.count { $0 == "1d0f:7364 088000 1d0f:7364" } == 1)
        #expect(kinds.count { $0 == "1d0f:efa2 020000 1d0f:efa2" } == 3)
        // The kernel and lspci agree.
        let listed = try Room.run("lspci -Dn").split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(machine.functions.map(\.address.description) == listed.map(String.init))
    }

    @Test
    func `each accelerator is paired with the NIC of its switch`() throws {
        let layout = try Room.layout.get()
        let pairs = MachineTopology(try Room.snapshot()).pairing.pairs
        #expect(pairs.count == 4)
        for pair in pairs {
            #expect(pair.links.map(\.path.pathClass) == [.pix], "\(pair)")
            #expect(pair.nics.allSatisfy { nic in layout.nics.contains { $0.description == nic.address } })
        }
    }

    @Test
    func `interfaces have the facts of their drivers`() throws {
        let machine = try Room.snapshot()
        for address in try Room.layout.get().nics {
            let netdev = try #require(machine[address]?.netdevs.first)
            #expect(netdev.mac == netdev.permanentMAC)
            #expect(netdev.mac?.description.hasPrefix("52:54:00:00:") == true)
            #expect(netdev.minimalMTU == 68)
            #expect(netdev.maximalMTU ?? 0 > 9000)
            let told = try Room.run("ip -d link show dev \(netdev.name)")
            #expect(told.contains("parentdev \(address)") && told.contains("maxmtu \(netdev.maximalMTU ?? 0)"))
        }
    }

    @Test
    func `RDMA devices are found with ports, nodes and interfaces`() throws {
        let layout = try Room.layout.get()
        let machine = try Room.snapshot()
        for (number, address) in layout.nics.enumerated() {
            let function = try #require(machine[address])
            let device = try #require(function.rdmaDevices.first { $0.name.hasPrefix("mlx5_") })
            #expect(device.name == "mlx5_\(number)")
            #expect(device.nodeType == "CA")
            #expect(device.firmware == "28.39.1002")
            let port = try #require(device.ports.first)
            #expect(port.state == "ACTIVE" && port.linkLayer == "Ethernet" && port.rate == 400)
            #expect(port.netdev == function.netdevs.first?.name)
            #expect(Set(port.gids.compactMap(\.type)) == ["RoCE v2"])
            try checkNodes(device)
        }
        for address in layout.efas {
            let device = try #require(machine[address]?.rdmaDevices.first)
            #expect(device.nodeType == "unspecified" && device.ports.first?.linkLayer == "Unspecified")
            #expect(machine[address]?.netdevs == [])
            try checkNodes(device)
        }
        #expect(machine.sharedCharDevices.map(\.path) == ["/dev/infiniband/rdma_cm"])
        for node in machine.sharedCharDevices { try check(node) }
        let nic = try #require(machine.devices.first { $0.address == layout.nics[0].description })
        #expect(nic.sharedCharDevices.count == 1)
    }

    private func checkNodes(_ device: RDMADevice) throws {
        #expect(device.charDevices.contains { $0.name.hasPrefix("uverbs") })
        for node in device.charDevices { try check(node) }
    }

    /// The kernel's own node has the same numbers.
    private func check(_ node: CharDevice) throws {
        let numbers = try Room.run("stat -c %t:%T \(node.path)")
        #expect(numbers == "\(String(node.major, radix: 16)):\(String(node.minor, radix: 16))\n", "\(node.path)")
    }

    @Test
    func `access control equals the output of lspci, and is unknown without the capability`() throws {
        let layout = try Room.layout.get()
        let port = try #require(try Room.snapshot()[layout.nics[0]]?.bridges.first)
        // Request redirection is enabled through the capability's register; of QEMU's bridges only root ports have it.
        try Room.run("setpci -s \(port) ECAP_ACS+6.w=0004")
        let machine = try Room.snapshot()
        var redirecting = 0
        for bridge in machine.functions where bridge.isBridge {
            let text = try Room.run("lspci -vvs \(bridge.address)")
            let line = text.split(separator: "\n").first { $0.contains("ACSCtl:") }
            let shown = line?.split { $0 == " " || $0 == "\t" }.filter { $0.hasSuffix("+") }.map { String($0.dropLast()) } ?? []
            #expect(bridge.acs?.names == shown, "\(bridge.address)")
            if bridge.acs?.contains(.requestRedirect) == true { redirecting += 1 }
        }
        #expect(redirecting == 1)
        let capture = "setpriv --reuid=65534 --clear-groups --bounding-set=-all --inh-caps=-all \(Place.programs)/nearside capture"
        let unprivileged = try MachineDescription(json: Array(try Room.run(capture).utf8)).machine
        #expect(unprivileged.functions.count == machine.functions.count)
        #expect(unprivileged.functions.allSatisfy { $0.acs == nil })
    }

    @Test
    func `new virtual functions are announced, and linked to their physical function`() async throws {
        let layout = try Room.layout.get()
        let folder = "/sys/bus/pci/devices/\(layout.physical)"
        #expect(try Room.snapshot()[layout.physical]?.sriov == SRIOV(total: 2, enabled: 0))
        try await expectChange { try Room.write("2", to: "\(folder)/sriov_numvfs") }
        let machine = try Room.snapshot()
        #expect(machine[layout.physical]?.sriov == SRIOV(total: 2, enabled: 2))
        let virtual = machine.virtualFunctions(of: layout.physical)
        #expect(virtual.map(\.virtualFunctionIndex) == [0, 1])
        #expect(virtual.map(\.vendor) == ["15b3", "15b3"])
        #expect(machine.devices.count { $0.function?.physicalFunction == layout.physical } == 2)
        try await expectChange { try Room.write("0", to: "\(folder)/sriov_numvfs") }
        #expect(try Room.snapshot().virtualFunctions(of: layout.physical) == [])
    }

    @Test
    func `removal and return of a device are announced`() async throws {
        let address = try Room.layout.get().accelerators[0]
        let before = try #require(try Room.snapshot()[address])
        try await expectChange { try Room.write("1", to: "/sys/bus/pci/devices/\(address)/remove") }
        #expect(try Room.snapshot()[address] == nil)
        try await expectChange { try Room.write("1", to: "/sys/bus/pci/rescan") }
        #expect(try Room.snapshot()[address] == before)
    }

    @Test
    func `link changes of a port are announced by libibverbs, and are in the next snapshot`() async throws {
        let layout = try Room.layout.get()
        let verbs = try Verbs()
        let opened = verbs.open()
        let device = try #require(opened.first { $0.name == "mlx5_0" })
        #expect(device.refusal == nil)
        #expect(device.attributes?.ports == 1 && device.attributes?.queuePairs == 256)
        #expect(device.port(1)?.state == "ACTIVE" && device.port(1)?.rate == 400 && device.port(2) == nil)
        #expect(device.nodeGUID == (try Room.snapshot()[layout.nics[0]])?.rdmaDevices.first?.nodeGUID)
        let watcher = try HostWatcher(log: Logger(label: "test"))
        for (state, kind) in [(1, VerbsEvent.Kind.portError), (4, .portActive)] {
            let event = await event(of: kind, from: watcher) { try Room.write("0 \(state)", to: Self.port) }
            #expect(event?.device == "mlx5_0" && event?.port == 1, "\(String(describing: event))")
            #expect(try Room.snapshot()[layout.nics[0]]?.rdmaDevices.first?.ports.first?.state == (state == 1 ? "DOWN" : "ACTIVE"))
        }
        await end(watcher)
    }

    private static let port = "/sys/module/shape_rdma/parameters/port"

    /// The first event of a kind, while an action is repeated: the watcher may not have opened the device yet.
    private func event(
        of kind: VerbsEvent.Kind, from watcher: HostWatcher, while work: @escaping @Sendable () throws -> Void
    ) async -> VerbsEvent? {
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try work()
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
            defer { group.cancelAll() }
            return await watcher.verbsEvents.first { $0.kind == kind }
        }
    }

    @Test
    func `changed identifiers and failed devices are announced by libibverbs`() async throws {
        let address = try Room.layout.get().nics[3]
        let name = try #require(try Room.snapshot()[address]?.netdevs.first?.name)
        let watcher = try HostWatcher(log: Logger(label: "test"))
        try Room.run("ip link set \(name) up")
        let change = await event(of: .gidChange, from: watcher) {
            // An address of the interface is an identifier of the port.
            try Room.run("ip address replace 198.51.100.7/24 dev \(name)")
            try Room.run("ip address del 198.51.100.7/24 dev \(name)")
        }
        #expect(change?.device == "mlx5_3" && change?.port == 1, "\(String(describing: change))")
        try Room.run("ip address replace 198.51.100.7/24 dev \(name)")
        let gid = "0000:0000:0000:0000:0000:ffff:c633:6407"
        #expect(try await settles { try Room.snapshot()[address]?.rdmaDevices[0].ports[0].gids.contains { $0.value == gid } == true })
        try Room.run("ip address flush dev \(name)")
        try Room.run("ip link set \(name) down")
        let failure = await event(of: .deviceFatal, from: watcher) { try Room.write("3 0", to: Self.port) }
        #expect(failure?.device == "mlx5_3" && failure?.port == nil, "\(String(describing: failure))")
        await end(watcher)
    }

    @Test
    func `software RDMA belongs to its interface's device, and its removal waits for no process`() async throws {
        let address = try Room.layout.get().nics[1]
        let name = try #require(try Room.snapshot()[address]?.netdevs.first?.name)
        func port() throws -> RDMAPort? {
            try Room.snapshot()[address]?.rdmaDevices.first { $0.name == "rxe0" }?.ports.first
        }
        try Room.run("ip link set \(name) up")
        try await expectChange { try Room.run("rdma link add rxe0 type rxe netdev \(name)") }
        #expect(try await settles { try port()?.state == "ACTIVE" })
        #expect(try port()?.netdev == name)
        try await expectChange { try Room.run("ip link set \(name) down") }
        #expect(try await settles { try port()?.state == "DOWN" })
        try await expectChange { try Room.run("rdma link del rxe0") }
        #expect(try Room.snapshot()[address]?.rdmaDevices.map(\.name) == ["mlx5_1"])
    }

    /// The driver of a NIC needs time to detect a carrier.
    private func settles(_ condition: () throws -> Bool) async throws -> Bool {
        for _ in 0..<100 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(100))
        }
        return false
    }

    @Test(arguments: [
        ("bond", ["modprobe bonding", "link add top type bond", "link set {} down", "link set {} master top", "link set top up"]),
        ("team", ["modprobe team", "link add top type team", "link set {} down", "link set {} master top", "link set top up"]),
        ("vlan", ["modprobe 8021q", "link add link {} name top type vlan id 7", "link set {} up", "link set top up"]),
        ("ipvlan", ["modprobe ipvlan", "link add link {} name top type ipvlan", "link set {} up", "link set top up"]),
        ("vrf", ["modprobe vrf", "link add top type vrf table 10", "link set {} master top", "link set {} up", "link set top up"]),
    ])
    func `a NIC below the default route is an uplink through any stack`(kind: String, steps: [String]) throws {
        let name = try #require(try Room.snapshot()[try Room.layout.get().nics[2]]?.netdevs.first?.name)
        for step in steps {
            let line = step.replacing("{}", with: name)
            try Room.run(line.hasPrefix("modprobe") ? line : "ip \(line)")
        }
        defer {
            for line in [
                "ip link set \(name) nomaster", "ip link del top", "ip addr flush dev \(name)", "ip link set \(name) down",
                "modprobe -r 8021q",
            ] {
                _ = try? Room.run(line)
            }
        }
        func uplinks() throws -> [String] { try Room.snapshot().allNetdevs.filter(\.isUplink).map(\.name) }
        #expect(try uplinks() == [name], "another interface of the host is stacked on it, or it is a port of one")
        let carrier = kind == "vrf" ? name : "top"
        try Room.run("ip addr add 192.0.2.5/24 dev \(carrier)")
        try Room.run("ip route add default via 192.0.2.1 dev \(carrier)\(kind == "vrf" ? " table 10" : "")")
        #expect(Set(try uplinks()) == [name, "top"])
        #expect(try Room.snapshot().devices.filter(\.isUplink).count >= 1)
    }

    // MARK: Helpers

    /// Runs an action and waits until the watcher has reported it.
    private func expectChange(_ work: () throws -> Void) async throws {
        let watcher = try HostWatcher(log: Logger(label: "test"))
        var changes = watcher.changes.makeAsyncIterator()
        // Opening devices for their events causes no event, and earlier events have passed by now.
        try await Task.sleep(for: .milliseconds(300))
        try work()
        #expect(await changes.next() != nil)
        await end(watcher)
    }

    /// Ends the watcher's thread.
    private func end(_ watcher: HostWatcher) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in watcher.changes {} }
            group.cancelAll()
        }
    }
}
