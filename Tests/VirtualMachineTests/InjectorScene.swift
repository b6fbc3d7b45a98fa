// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ControlProtocol
import Glibc
import Hardware
import Journal
import JournalModel
import Linux
import NRIMessages
import ResourceAPI
import SliceModel
import Testbed
import Testing

/// `nearside-nri` with the Testbed's runtime, on the machine's own network; parts of `nearside-node` replace the daemon.
final class InjectorScene {
    let journal: JournalFolder
    private let scratch: ScratchFolder
    private let listener: Descriptor
    private let daemon: ChildProcess
    private let runtime: RuntimePeer
    private var mounts: [String] = []

    init() throws {
        scratch = try ScratchFolder("scene")
        listener = try UnixSocket.listen(scratch("nri.sock"))
        journal = JournalFolder(scratch("journal"), states: scratch("states"), for: .node)
        try journal.make()
        try Files.makeFolder(scratch("cdi"))
        daemon = try ChildProcess(
            "\(Place.programs)/nearside-nri",
            [
                "--journal", journal.path, "--states", journal.statesPath, "--nri-socket", scratch("nri.sock"), "--cdi", scratch("cdi"),
                "--log-level", "debug",
            ], output: scratch("nri.log"))
        runtime = try RuntimePeer(listener: listener, timeout: .seconds(60))
    }

    func end() {
        daemon.stop()
        for path in mounts { _ = try? Room.run("umount -l \(path)") }
    }

    var log: String { String(((try? Files.readText(scratch("nri.log"), limit: 64 << 20)) ?? "").suffix(4000)) }

    /// Plans a claim of one device as `nearside-node` does, and has the specification written.
    func prepare(_ uid: String, _ address: PCIAddress, parameters: JSONValue? = nil, share: String? = nil) throws {
        let device = try #require(try Room.snapshot().devices.first { $0.address == address.description })
        let planner = ClaimPlanner(PlannerInput(PlannerOptions(driver: "dra.nearside"), devices: [device.sliceName: device]))
        let config = parameters.map {
            AllocationConfig(source: .fromClass, opaque: OpaqueConfig(driver: planner.input.driver, parameters: $0))
        }
        var result = AllocatedDevice(request: "nic", driver: planner.input.driver, pool: "node", device: device.sliceName)
        result.shareID = share
        let claim = ResourceClaim(
            metadata: Metadata(
                name: uid, namespace: "default", uid: uid,
                ownerReferences: [OwnerReference(apiVersion: "v1", kind: "Pod", name: uid, uid: uid, controller: true)]),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: [result],
                        config: config.map { [$0] })),
                reservedFor: [ConsumerReference(resource: "pods", name: uid, uid: uid)]))
        try journal.write(try planner.plan(claim, others: journal.plans().plans).plan)
        let answer = try ask(.publish(claim: uid))
        guard case .ok = answer else { throw Room.Failed(description: "\(answer): \(log)") }
    }

    private func ask(_ request: ControlRequest) throws -> ControlReply {
        try ControlClient.ask(request, socket: journal.socket, timeout: .seconds(60))
    }

    /// Starts a pod, with a container.
    func start(_ uid: String) throws -> (pod: NRIPodSandbox, namespace: NetworkNamespace) {
        let namespace = try NetworkNamespace.make()
        let path = "/run/netns/\(uid)"
        try Files.makeFolder("/run/netns")
        try Files.write(path, "")
        try Room.run("mount --bind /proc/\(getpid())/fd/\(namespace.descriptor.raw) \(path)")
        mounts.append(path)
        let pod = NRIPodSandbox.testbed(id: uid, uid: uid, name: uid, networkNamespace: path)
        try runtime.run(pod)
        try runtime.create(NRIContainer(), in: pod)
        return (pod, namespace)
    }

    func stop(_ pod: NRIPodSandbox) throws { try runtime.stop(pod) }

    /// Releases the claim.
    ///
    /// - Returns: the reason of a failure; nil for success.
    func release(_ uid: String) throws -> String? {
        switch try ask(.release(claim: uid)) {
        case .ok, .supports: break
        case .refused(let why): return why
        }
        try journal.removePlan(uid)
        return nil
    }

    /// The reasons for tainted devices in the state of a claim.
    func problems(_ uid: String) throws -> [String] { (try journal.state(uid)?.attachments ?? []).compactMap(\.problem) }
}
