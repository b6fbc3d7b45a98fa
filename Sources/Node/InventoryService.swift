// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Journal
import Linux
import Logging
import Preparation
import Publishing
import ServiceLifecycle
import Topology

/// Takes a snapshot when something changed, and passes on what it means.
actor InventoryService: Service {
    private let discovery: Discovery
    private let journal: JournalFolder
    private let policy: PublishingPolicy
    private let topologyPolicy: TopologyPolicy
    private let publisher: SlicePublisher
    private let preparer: ClaimPreparer
    private let log: Logger

    /// What was published last: tells of interfaces that are in pods now, and of devices that were lost. Kept
    /// on disk too, so that a new instance of this program publishes the same.
    private var known: Machine?
    private var remarks: Set<String> = []

    init(
        discovery: Discovery, journal: JournalFolder, policy: PublishingPolicy, topologyPolicy: TopologyPolicy,
        publisher: SlicePublisher, preparer: ClaimPreparer, log: Logger
    ) {
        self.discovery = discovery
        self.journal = journal
        self.policy = policy
        self.topologyPolicy = topologyPolicy
        self.publisher = publisher
        self.preparer = preparer
        self.log = log
    }

    func refresh() async throws {
        if known == nil { known = readKnown() }
        let (states, damaged) = journal.states()
        for error in damaged { log.error("state cannot be used", metadata: ["error": "\(error)"]) }
        let snapshot = try discovery.snapshot()
        let machine = snapshot.machine.including(states.flatMap(\.attachments), known: known)
        let topology = MachineTopology(machine, policy: topologyPolicy, known: known)
        note(snapshot.remarks + topology.remarks)
        remember(topology.remembered(policy, known: known))
        let slices = SliceDevices(topology, policy)
        let devices = machine.devices.filter(policy.publishes)
        await preparer.update(
            devices: Dictionary(devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first }),
            groups: slices.pairs?.members ?? [:])
        await publisher.publish(slices)
        log.debug("snapshot", metadata: ["devices": "\(slices.devices.count)"])
    }

    func run() async throws {
        let watcher = try HostWatcher(virtualPrefixes: policy.virtualNICs, log: log)
        for await _ in watcher.changes.cancelOnGracefulShutdown() {
            do { try await refresh() } catch {
                log.error("the devices cannot be read; the last known ones stay published", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Says once what is wrong, and again when it has been right in between.
    private func note(_ found: [String]) {
        for remark in found where !remarks.contains(remark) { log.warning("\(remark)") }
        remarks = Set(found)
    }

    private func readKnown() -> Machine? {
        do throws(SystemError) {
            let bytes = try Files.read(journal.machine, limit: 64 << 20)
            do throws(MachineDescription.Malformed) { return try MachineDescription(json: bytes).machine } catch {
                log.error("\(journal.machine) is damaged and passed over: \(error)")
            }
        } catch {
            if !error.isNotFound { log.error("\(error)") }
        }
        return nil
    }

    private func remember(_ machine: Machine) {
        guard machine != known else { return }
        known = machine
        do { try Files.replace(journal.machine, with: MachineDescription(machine: machine).json(), mode: 0o600) } catch {
            log.error("what is published cannot be kept for the next start", metadata: ["error": "\(error)"])
        }
    }
}
