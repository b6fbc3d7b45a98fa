// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Hardware
import Journal
import JournalModel
import Linux
import NRIMessages
import Netlink
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Settings that only a driver keeps, with `nearside-nri` and a NIC whose driver has all of them (hack/testbed/modules/shape_nic.c).
extension LiveKernelTests {
    @Test
    func `driver settings that a pod changed are restored`() throws {
        let scene = try DriverScene()
        defer { scene.end() }
        try scene.withPod { pod, namespace in
            try DriverScene.spoil(namespace)
            let spoilt = try DriverScene.text("net0", in: namespace)
            for part in [
                "Combined:\t8", "Filter: 63", "Action: Drop", "RSS Context ID: 3", "xor: on", "01:02:03:04:05", "encodings: Off",
                "Wake-on: u",
                "tx 2, rx 12", "No such file or directory",
            ] { #expect(spoilt.contains(part), "the attack itself has failed: \(part) is missing") }
            try scene.stop(pod)
            let left = try scene.attachment()
            #expect(left == nil, "\(left?.problem ?? "")")
        }
        let difference = HostText.difference(scene.before, try scene.text())
        #expect(difference.isEmpty, "\(difference)")
    }

    @Test(arguments: [
        ("refuse", "1", "n-tuple rules: cannot delete rule"), ("refuse", "2", "RSS contexts: cannot"),
        ("refuse", "4", "RSS hash fields: cannot"),
        ("refuse", "8", "hardware timestamping: cannot"), ("refuse", "16", "forward error correction"), ("refuse", "32", "Wake-on-LAN"),
        ("rules", "20000", "list 20000 n-tuple rules"),
    ])
    func `a NIC whose driver refuses its recorded settings is withheld, and the error names them`(
        parameter: String, value: String, text: String
    )
        throws
    {
        let scene = try DriverScene()
        defer { scene.end() }
        try scene.withPod { pod, namespace in
            try DriverScene.spoil(namespace)
            try Room.write(value, to: "\(DriverScene.parameters)/\(parameter)")
            defer { try? Room.write("0", to: "\(DriverScene.parameters)/\(parameter)") }
            try scene.stop(pod)
            let left = try #require(try scene.attachment())
            #expect(left.phase == .returning)
            #expect(left.problem?.contains("restore driver settings") == true && left.problem?.contains(text) == true, "\(left)")
            let reply = try scene.release()
            #expect("\(reply)".contains(text), "\(reply)")
        }
        // The driver accepts settings again.
        let difference = HostText.difference(scene.before, try scene.text())
        #expect(difference.isEmpty, "\(difference)")
    }

    @Test
    func `settings of a real driver are recorded, and unsupported ones are absent`() throws {
        let name = try #require(try Room.snapshot().functions.first { $0.driver == "e1000e" }?.netdevs.first?.name)
        let record = try PodNetwork().records([name])
        let settings = try #require(record.first?.driverSettings)
        #expect(settings.rules == nil && settings.contexts == nil)
        #expect(settings.hashFields.contains { $0.flow == 1 } && settings.timestamping?.bytes.count == 12)
        let socket = try DriverSocket()
        for name in [name, "lo"] {
            let calls = socket.calls(to: name)
            let time = try ContinuousClock().measure { for _ in 0..<100 { _ = try calls.settings() } }
            print("driver settings of \(name), under emulation: \(time / 100)")
        }
    }
}

/// The NIC with settings of the host's, and `nearside-nri` with the Testbed's runtime on the machine's own network.
private final class DriverScene {
    static let parameters = "/sys/module/shape_nic/parameters"
    private static let interface = "shape0"
    private static let tool = "\(Place.project)/.build/programs"

    let before: String
    private let scratch: ScratchFolder
    private let listener: Descriptor
    private let journal: JournalFolder
    private let daemon: ChildProcess
    private var runtime: RuntimePeer
    private let claim = "claim-driver"

    init() throws {
        let module = "\(Place.project)/.build-tools/vm/modules/shape_nic.ko"
        // A NIC of the host; each test has its own.
        try Room.run("insmod \(module)")
        for line in [
            "-N shape0 flow-type tcp4 dst-port 80 action 2 loc 5", "-X shape0 equal 2 context new", "-X shape0 equal 3 context new",
            "-N shape0 flow-type udp4 dst-port 4791 context 1 loc 6", "--set-fec shape0 encoding rs",
            "-s shape0 wol gs sopass 00:11:22:33:44:55",
        ] { try Room.run("ethtool \(line)") }
        try Room.run("\(Self.tool) timestamping shape0 1 1")
        try Room.bringUp([Self.interface])
        scratch = try ScratchFolder("driver")
        listener = try UnixSocket.listen(scratch("nri.sock"))
        journal = JournalFolder(scratch("journal"), states: scratch("states"), for: .node)
        try journal.make()
        before = try HostText.atRest { try Self.text(Self.interface) }
        let command = [
            "\(Place.programs)/nearside-nri", "--journal", journal.path, "--states", journal.statesPath, "--nri-socket",
            scratch("nri.sock"),
            "--log-level", "debug",
        ]
        daemon = try ChildProcess("/usr/bin/env", command, output: scratch("nri.log"))
        runtime = try RuntimePeer(listener: listener, pods: [], timeout: .seconds(10))
    }

    func end() {
        daemon.stop()
        _ = try? Room.run("rmmod shape_nic")
    }

    func text() throws -> String { try HostText.atRest { try Self.text(Self.interface) } }

    /// The output of `ethtool` and `ip` for the interface.
    static func text(_ name: String, in namespace: NetworkNamespace? = nil) throws -> String {
        var lines = ["ip -d address show dev \(name)", "ethtool \(name)", "\(tool) timestamping \(name)"]
        lines += ["-n", "-x", "-l", "--show-fec", "-k"].map { "ethtool \($0) \(name)" }
        lines += ["tcp4", "udp4", "tcp6", "udp6"].map { "ethtool -n \(name) rx-flow-hash \($0)" }
        lines += (1...4).map { "ethtool -x \(name) context \($0)" }
        return try lines.map { try run($0, in: namespace).output }.joined()
    }

    /// Changes everything, as a pod with CAP_NET_ADMIN over its namespace can.
    static func spoil(_ namespace: NetworkNamespace) throws {
        let key = (1...40).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
        for line in [
            "ethtool -L net0 combined 8", "ethtool -N net0 delete 5", "ethtool -N net0 delete 6",
            "ethtool -N net0 flow-type tcp4 dst-port 443 action -1 loc 5", "ethtool -N net0 flow-type ip4 src-ip 10.0.0.1 action 7 loc 63",
            "ethtool -X net0 context 1 delete", "ethtool -X net0 equal 5 context new", "ethtool -X net0 equal 6 context new",
            "ethtool -N net0 flow-type udp4 dst-port 53 context 3 loc 20", "ethtool -X net0 context 1 delete",
            "ethtool -X net0 equal 7 context 2", "ethtool -X net0 weight 0 0 0 0 0 0 0 1", "ethtool -X net0 hkey \(key) hfunc xor",
            "ethtool -N net0 rx-flow-hash udp4 sdfn", "ethtool -N net0 rx-flow-hash tcp4 sd", "ethtool --set-fec net0 encoding off",
            "ethtool -s net0 wol u", "\(tool) timestamping net0 2 12",
        ] {
            let ended = try run(line, in: namespace)
            #expect(ended.status == 0, "\(line): \(ended.output)")
        }
    }

    private static func run(_ line: String, in namespace: NetworkNamespace?) throws -> (status: Int32, output: String) {
        let ended = try ChildProcess.run("/usr/bin/env", line.split(separator: " ").map(String.init), in: namespace)
        return (ended.status, ended.output)
    }

    /// Runs the closure with a pod that has the NIC as net0, and releases the claim at its end.
    func withPod(_ body: (NRIPodSandbox, NetworkNamespace) throws -> Void) throws {
        let namespace = try NetworkNamespace.make()
        let path = "/run/netns/\(claim)"
        try Files.makeFolder("/run/netns")
        try Files.write(path, "")
        try Room.run("mount --bind /proc/\(getpid())/fd/\(namespace.descriptor.raw) \(path)")
        defer {
            _ = try? Room.run("umount -l \(path)")
            try? Files.remove(path)
        }
        let pod = NRIPodSandbox.testbed(id: claim, uid: claim, name: claim, networkNamespace: path)
        let device = DevicePlan(
            pool: "node", device: "nic", request: "nic", cdiDeviceIDs: [], interface: InterfacePlan(hostName: Self.interface, name: "net0"))
        try journal.write(ClaimPlan(claim: ClaimIdentity(namespace: "default", name: claim, uid: claim), pods: [claim], devices: [device]))
        try runtime.run(pod)
        try #require(try Self.run("ip link show net0", in: namespace).status == 0, "\((try? Files.readText(scratch("nri.log"))) ?? "")")
        try body(pod, namespace)
        var last = ""
        let isReleased = try eventually {
            last = "\(try release())"
            return last == "ok"
        }
        #expect(isReleased, "\(last)")
        try journal.removePlan(claim)
    }

    func stop(_ pod: NRIPodSandbox) throws { try runtime.stop(pod) }

    func release() throws -> String {
        let reply = try ControlClient.ask(.release(claim: claim), socket: journal.socket, timeout: .seconds(30))
        if case .ok = reply { return "ok" }
        return "\(reply)"
    }

    func attachment() throws -> JournalModel.Attachment? { try journal.state(claim)?.attachments.first }
}
