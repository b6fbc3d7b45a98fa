// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Journal
import Logging
import Preparation
import Publishing
import ServiceLifecycle

/// Takes a snapshot when something changed, and passes on what it means.
struct InventoryService: Service {
    let discovery: Discovery
    let journal: JournalFolder
    let policy: PublishingPolicy
    let publisher: SlicePublisher
    let preparer: ClaimPreparer
    let log: Logger

    /// Changes come in bursts; this long is waited for the rest of one.
    private static let settling = Duration.milliseconds(100)

    func refresh() async throws {
        let (states, damaged) = journal.states()
        for error in damaged { log.error("state cannot be used", metadata: ["error": "\(error)"]) }
        let machine = try discovery.snapshot().including(states.flatMap(\.attachments))
        let slices = SliceDevices(machine, policy)
        let devices = machine.devices.filter(policy.publishes)
        await preparer.update(
            devices: Dictionary(devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first }))
        await publisher.publish(slices.devices)
        log.debug("snapshot", metadata: ["devices": "\(slices.devices.count)"])
    }

    func run() async throws {
        let changes = try HostWatcher.changes(log: log)
        for await _ in changes.cancelOnGracefulShutdown() {
            try? await Task.sleep(for: Self.settling)
            do { try await refresh() } catch {
                log.error("the devices cannot be read; the last known ones stay published", metadata: ["error": "\(error)"])
            }
        }
    }
}
