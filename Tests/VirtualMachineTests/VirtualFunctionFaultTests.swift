// SPDX-License-Identifier: Apache-2.0

import Attachment
import ControlProtocol
import Glibc
import Journal
import JournalModel
import Linux
import Logging
import NRIMessages
import NetworkModel
import Testbed
import Testing

/// `nearside-nri` ended or refused at steps of attaching and detaching a virtual function: no container runs without it, and both
/// functions are restored.
extension LiveKernelTests {
    @Test(.enabled(if: FaultSwitch.library != nil, "needs hack/testbed/faults.c, which hack/test builds"))
    func `after a fault at any step a virtual function is in its pod or restored`() throws {
        let scene = try FunctionScene()
        defer { scene.end() }
        var cases: [FunctionScene.Case] = []
        for phase in FunctionScene.Phase.allCases {
            let steps = try scene.run(.init(phase: phase, mode: .count, step: 0, error: 0))
            #expect(steps > 5)
            for step in 1...max(1, steps) {
                for mode in [FaultSwitch.Mode.killBefore, .killAfter, .diskFull] {
                    cases.append(.init(phase: phase, mode: mode, step: step, error: 0))
                }
                for mode in [FaultSwitch.Mode.fail, .replaceAnswer] {
                    for error in [EBUSY, EINVAL, ENODEV] { cases.append(.init(phase: phase, mode: mode, step: step, error: error)) }
                }
            }
        }
        // A different sample each day; the number or the duration can be set.
        cases.shuffle()
        let asked = getenv("NEARSIDE_FAULTS").flatMap { Int(String(cString: $0)) }
        let deadline = Deadline.after(.seconds(asked ?? 0))
        var done = 0
        for entry in cases where done < 8 || !deadline.hasPassed {
            do { _ = try scene.run(entry) } catch {
                Issue.record("\(entry): \(error)\n\(scene.log.suffix(1500))")
                return
            }
            done += 1
        }
        print("fault cases, virtual function: \(done) of \(cases.count)")
        #expect(done >= 8)
    }
}

/// An igb with two virtual functions, and `nearside-nri` with the Testbed's runtime, on the machine's own network.
private final class FunctionScene {
    enum Phase: CaseIterable { case attach, detach }

    struct Case: CustomStringConvertible {
        var phase: Phase
        var mode: FaultSwitch.Mode
        var step: Int
        var error: Int32

        var description: String { "\(phase), \(mode) at step \(step)\(error == 0 ? "" : " with \(error)")" }
    }

    struct Broken: Error, CustomStringConvertible { var description: String }

    private let parent: String
    private let interface: String
    private let scratch: ScratchFolder
    private let listener: Descriptor
    private let faults: FaultSwitch
    private let journal: JournalFolder
    private var daemon: ChildProcess?
    private var runtime: RuntimePeer?
    private let before: String
    private var number = 0

    var log: String { (try? Files.readText(scratch("nri.log"), limit: 64 << 20)) ?? "" }

    init() throws {
        try Room.run("modprobe -a igb igbvf")
        let physical = try #require(PhysicalFunction.all(sysfs: "/sys").first { $0.total == 7 }, "the machine has an igb")
        parent = try #require(Files.list("/sys/bus/pci/devices/\(physical.address)/net").first)
        try Room.write("2", to: "/sys/bus/pci/devices/\(physical.address)/sriov_numvfs")
        let folder = "/sys/bus/pci/devices/\(physical.address)/virtfn0/net"
        #expect(eventually { !Files.list(folder).isEmpty })
        interface = try #require(Files.list(folder).first)
        try Room.run("ip link set \(parent) up")
        let speed = "/sys/class/net/\(parent)/speed"
        #expect(eventually { (try? Files.readText(speed))?.hasPrefix("1000") == true })
        scratch = try ScratchFolder("vf")
        listener = try UnixSocket.listen(scratch("nri.sock"))
        faults = try FaultSwitch(file: scratch("faults"))
        journal = JournalFolder(scratch("journal"), states: scratch("states"), for: .node)
        try journal.make()
        try Room.bringUp([parent])
        before = try Self.text()
        try start()
    }

    /// This driver reports the last assigned address as permanent, until its restart.
    private static func text() throws -> String { try Room.hostText().replacing(" permaddr 02:00:00:00:00:11", with: "") }

    func end() {
        daemon?.stop()
        _ = try? Room.run("ip link set \(parent) down")
        if let physical = PhysicalFunction.all(sysfs: "/sys").first(where: { $0.total == 7 }) {
            try? Room.write("0", to: "/sys/bus/pci/devices/\(physical.address)/sriov_numvfs")
        }
    }

    private var pods: [NRIPodSandbox] = []

    private func start() throws {
        let command =
            faults.environment + [
                "\(Place.programs)/nearside-nri", "--journal", journal.path, "--states", journal.statesPath, "--nri-socket",
                scratch("nri.sock"), "--log-level", "debug",
            ]
        daemon = try ChildProcess("/usr/bin/env", command, output: scratch("nri.log"))
        try connect()
    }

    private func connect() throws { runtime = try RuntimePeer(listener: listener, pods: pods, timeout: .seconds(10)) }

    /// Restarts programs that have exited.
    private func revive() throws {
        if runtime == nil { _ = eventually(seconds: 0.2) { daemon?.isRunning != true } }
        if daemon?.isRunning != true {
            runtime = nil
            try start()
        } else if runtime == nil {
            try connect()
        }
    }

    /// - Returns: the number of steps in the phase.
    func run(_ entry: Case) throws -> Int {
        number += 1
        let uid = "claim-\(number)"
        let namespace = try NetworkNamespace.make()
        let path = "/run/netns/\(uid)"
        try Files.makeFolder("/run/netns")
        try Files.write(path, "")
        try Room.run("mount --bind /proc/\(getpid())/fd/\(namespace.descriptor.raw) \(path)")
        let pod = NRIPodSandbox.testbed(id: uid, uid: uid, name: uid, networkNamespace: path)
        pods = [pod]
        try journal.write(plan(uid))
        var steps = 0
        func phase(_ phase: Phase, _ body: () throws -> Void) throws {
            if phase == entry.phase { try faults.arm(entry.mode, step: entry.step, error: entry.error) }
            do { try body() } catch { runtime = nil }
            if phase == entry.phase { steps = try faults.disarm() }
            try revive()
        }
        try phase(.attach) { try runtime?.run(pod) }
        try create(pod, in: namespace)
        try phase(.detach) { try runtime?.stop(pod) }
        try release(uid)
        try journal.removePlan(uid)
        pods = []
        try Room.run("umount -l \(path)")
        try Files.remove(path)
        let changes = try HostText.changes(since: before, within: 40, Self.text)
        if !changes.isEmpty { throw Broken(description: "the host has changed:\n\(changes)") }
        return steps
    }

    private func create(_ pod: NRIPodSandbox, in namespace: NetworkNamespace) throws {
        var last = ""
        for _ in 0..<20 {
            do {
                try runtime?.create(NRIContainer(), in: pod)
                let link = try ChildProcess.run("/usr/bin/env", ["ip", "link", "show", "net0"], in: namespace)
                guard link.status == 0, link.output.contains("02:00:00:00:00:11") else {
                    throw Broken(description: "a container runs without its device: \(link.output)")
                }
                return
            } catch let error as Broken { throw error } catch {
                last = "\(error)"
                if !last.contains("nearside:") { runtime = nil }
            }
            usleep(100_000)
            try revive()
        }
        throw Broken(description: "the container never starts: \(last)")
    }

    private func release(_ uid: String) throws {
        var last = ""
        for _ in 0..<20 {
            do {
                let reply = try ControlClient.ask(.release(claim: uid), socket: journal.socket, timeout: .seconds(30))
                if case .ok = reply { return }
                last = "\(reply)"
            } catch { last = "\(error)" }
            usleep(200_000)
            try revive()
        }
        throw Broken(description: "the claim cannot be released: \(last)")
    }

    private func plan(_ uid: String) throws -> ClaimPlan {
        var interfacePlan = InterfacePlan(hostName: interface, name: "net0")
        interfacePlan.hardwareAddress = HardwareAddress(parsing: "02:00:00:00:00:11")
        var function = VirtualFunctionPlan(parent: parent, number: 0)
        function.settings.hardwareAddress = interfacePlan.hardwareAddress
        function.settings.vlan = 7
        function.settings.checksSpoofing = false
        function.settings.maximalRate = 100
        var device = DevicePlan(pool: "node", device: "vf", request: "nic", cdiDeviceIDs: [], interface: interfacePlan)
        device.virtualFunction = function
        return ClaimPlan(claim: ClaimIdentity(namespace: "default", name: uid, uid: uid), pods: [uid], devices: [device])
    }
}
