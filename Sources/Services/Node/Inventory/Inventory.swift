// SPDX-License-Identifier: Apache-2.0

import JournalModel
import ClaimPlanning
import Discovery
import Hardware
import Logging
import SliceModel
import Topology

/// The devices of the node, derived from an observation.
struct NodeDevices: Sendable {
    var topology: MachineTopology
    var slices: SliceDevices
    var health: HealthReport
    /// Published devices by their names in slices.
    var published: [String: Device]
    var missingInterfaces: [String: MissingInterface]
    /// Devices of claims, including the pairs and sets that contain them.
    var held: Set<String>
    /// The next time at which a link has to be checked without an announcement.
    var nextCheck: ContinuousClock.Instant?
    var warnings: [String]
    /// True if the saved machine has changed.
    var changesMemory: Bool
}

/// Derives the devices of the node from consecutive observations.
///
/// The last published machine is saved as `machine.json` in the journal's folder. Interfaces in pods are published from it, and a device
/// that has lost its interface is not prepared.
struct Inventory {
    let policy: PublishingPolicy
    private let topologyPolicy: TopologyPolicy
    private(set) var memory: MachineMemory
    private var damper = LinkDamper()
    private let names = PCINames()
    private var nameTable = PCINameTable()

    init(policy: PublishingPolicy, topologyPolicy: TopologyPolicy, memory: MachineMemory) {
        self.policy = policy
        self.topologyPolicy = topologyPolicy
        self.memory = memory
    }

    mutating func update(_ observation: HostObservation, at now: ContinuousClock.Instant) -> NodeDevices {
        let known = memory.machine
        let attachments = observation.attachments
        let (machine, nextCheck) = damper.damped(
            observation.machine.including(attachments, known: known), inPods: Set(attachments.map(\.device)), at: now)
        let topology = MachineTopology(machine, policy: topologyPolicy, known: known)
        let held = Set(observation.plans.flatMap(\.devices).flatMap { [$0.device] + ($0.group.map { [$0] } ?? []) })
        let published = machine.devices.filter { policy.publishes($0, of: topology) }
        let missingInterfaces = machine.missingInterfaces(since: memory)
        var health = HealthReport(topology, policy, held: held, known: known)
        health.add(
            .noInterface,
            published.compactMap { device in missingInterfaces[device.sliceName].map { (device.sliceName, $0.condition) } })
        health.add(.notRestored, attachments.compactMap { attachment in attachment.problem.map { (attachment.device, $0) } })
        names.complete(&nameTable, for: machine)
        let slices = SliceDevices(topology, policy, health: health, names: nameTable)
        let changesMemory = memory.update(topology.remembered(policy, known: known, held: held))
        return NodeDevices(
            topology: topology, slices: slices, health: health,
            published: Dictionary(published.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first }),
            missingInterfaces: missingInterfaces, held: held, nextCheck: nextCheck,
            warnings: observation.warnings + topology.warnings + slices.warnings,
            changesMemory: changesMemory)
    }
}
