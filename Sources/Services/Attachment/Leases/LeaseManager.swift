// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork

/// Runs the DHCP clients of attached interfaces, and applies their leases to the interfaces.
///
/// ## Concurrency model
/// Used by one thread.
final class LeaseManager: EventSource {
    private let journal: AttachmentJournal
    private let network: PodNetwork
    private let namespaces: NamespaceTable
    private let clients: LeaseClients
    private let clusterNetworks: [IPPrefix]
    private let log: Logger
    /// True while the client of an attached interface could not be started.
    private var lacksClients = false
    /// Reported leases that are not in the journal yet, because the write failed.
    private var unwritten: [LeaseKey: Lease] = [:]
    /// Leases that are applied to interfaces.
    private var applied: [LeaseKey: Lease] = [:]
    private(set) var deadline: Deadline?

    private static let retryDelay = Duration.seconds(1)

    init(
        _ options: LeaseClientOptions, journal: AttachmentJournal, network: PodNetwork, namespaces: NamespaceTable, log: Logger
    ) {
        self.journal = journal
        self.network = network
        self.namespaces = namespaces
        self.log = log
        clients = LeaseClients(options)
        clusterNetworks = options.clusterNetworks
    }

    // MARK: Clients

    /// Starts the missing clients of interfaces in a namespace whose plan requests DHCP.
    func startClients(_ state: ClaimState, in namespace: FileIdentity) throws(AttachmentError) {
        for attachment in state.attachments where attachment.phase == .attached && attachment.namespace == namespace {
            for family in attachment.leaseFamilies { try startClient(attachment, family, of: state.claim) }
        }
    }

    /// Starts the clients of all attached interfaces: the clients of an earlier run ended with it.
    func resume() {
        lacksClients = false
        for state in journal.states {
            for attachment in state.attachments where attachment.phase == .attached {
                for family in attachment.leaseFamilies { resume(attachment, family, of: state.claim) }
            }
        }
    }

    private func resume(_ attachment: Attachment, _ family: Lease.Family, of claim: ClaimIdentity) {
        do throws(AttachmentError) { try startClient(attachment, family, of: claim) } catch {
            log.error("starting a DHCP client failed", metadata: ["claim": "\(claim)", "error": "\(error)"])
            lacksClients = true
        }
    }

    private func startClient(_ attachment: Attachment, _ family: Lease.Family, of claim: ClaimIdentity) throws(AttachmentError) {
        let key = Self.key(attachment, family, of: claim)
        guard !clients.isRunning(key), let index = attachment.podIndex, let namespace = namespaces.namespace(of: attachment) else { return }
        let missing = LeaseClients.missingCapabilities(family)
        guard missing.isEmpty else {
            throw AttachmentError(
                .leaseFailed, "claim \(claim)",
                "\(family.protocolName) on \(attachment.label) needs the capabilities \(missing.joined(separator: ", ")), which nearside-nri lacks; add them to its container, or set addresses in the claim"
            )
        }
        let network = network
        let former = attachment.leasedAddress(family)?.address
        let server = journal.lease(key).flatMap { $0.address?.address == former ? $0.server : nil }
        let order = LeaseClients.Order(
            key: key, label: attachment.label, namespace: namespace, address: former, server: server,
            open: { () throws(PodNetworkError) in try network.leaseSockets(family, of: index, in: namespace) }, index: index)
        do { try clients.start(order) } catch {
            throw AttachmentError(
                .leaseFailed, "claim \(claim)", step: "start the \(family.protocolName) client of \(attachment.label)", "\(error)")
        }
    }

    /// Ends the clients of all matching attachments in parallel, because the runtime waits.
    func stopClients(where matches: (Attachment) -> Bool) {
        clients.stop(
            journal.states.flatMap { state in
                state.attachments.filter(matches).flatMap { attachment in
                    attachment.leaseFamilies.map { Self.key(attachment, $0, of: state.claim) }
                }
            })
    }

    // MARK: Leases

    /// The leases that the claim waits for in a namespace, as a sentence; nil if its containers may start.
    func awaited(_ claim: ClaimIdentity, in namespace: FileIdentity) throws(AttachmentError) -> String? {
        let here = (try journal.state(claim)?.attachments ?? []).filter { $0.namespace == namespace }
        return here.awaitedLeases
    }

    /// Returns the addresses to their servers, before the interfaces leave the pod.
    ///
    /// - Returns: errors of leases that could not be removed from the journal, by device.
    func release(_ attachments: [Attachment], of claim: ClaimIdentity) -> [String: PodNetworkError] {
        let leased = attachments.flatMap { attachment in
            attachment.leaseFamilies.map { (attachment, Self.key(attachment, $0, of: claim)) }
        }
        guard !leased.isEmpty else { return [:] }
        clients.stop(leased.map(\.1))
        for (_, key) in leased { unwritten[key] = nil }
        var failures: [String: PodNetworkError] = [:]
        for (attachment, key) in leased {
            applied[key] = nil
            do throws(SystemError) { try journal.removeLease(key) } catch {
                failures[attachment.device] = PodNetworkError(.journal, attachment.label, "remove its lease", error)
            }
        }
        return failures
    }

    // MARK: Events

    /// Become readable when a client reports a lease, or has ended.
    var descriptors: [Descriptor] { clients.descriptors }

    /// Applies reported leases, removes expired ones, and restarts clients that have ended.
    func handle(_ ready: ReadyDescriptors) {
        if lacksClients { resume() }
        let retry = Deadline.after(Self.retryDelay)
        var due: [Deadline?] = [lacksClients ? retry : nil]
        defer { deadline = due.compactMap(\.self).min() }
        guard !clients.isEmpty else { return }
        let (reported, nextStart) = clients.update()
        due.append(nextStart)
        unwritten.merge(reported) { $1 }
        if !writeLeases() { due.append(retry) }
        for state in journal.states where state.attachments.contains(where: { !$0.leaseFamilies.isEmpty && $0.phase == .attached }) {
            do throws(AttachmentError) { due.append(try apply(to: state)) } catch {
                log.error("applying a lease failed", metadata: ["claim": "\(state.claim)", "error": "\(error)"])
                due.append(retry)
            }
        }
    }

    /// - Returns: false if a lease could not be written.
    private func writeLeases() -> Bool {
        for (key, lease) in unwritten {
            do throws(JournalError) {
                try journal.write(lease, key)
                unwritten[key] = nil
            } catch {
                log.error("writing a lease failed", metadata: ["claim": "\(key.claim)", "error": "\(error)"])
            }
        }
        return unwritten.isEmpty
    }

    /// Applies the leases in the journal to the interfaces of a claim, and writes the state if it changed.
    ///
    /// - Returns: the end of the lease that expires first.
    private func apply(to before: ClaimState) throws(AttachmentError) -> Deadline? {
        guard let plan = journal.plan(before.claim.uid) else { return nil }
        var state = before
        var due: [Deadline] = []
        var latest: [LeaseKey: Lease] = [:]
        for index in state.attachments.indices where state.attachments[index].phase == .attached {
            for family in state.attachments[index].leaseFamilies {
                let key = Self.key(state.attachments[index], family, of: state.claim)
                guard var lease = journal.lease(key) else { continue }
                // The lease expired while this program did not run, or its server did not renew it.
                if lease.hasEnded(at: .now) { lease.address = nil }
                // A renewed lease has the same address and a later end.
                if applied[key] != lease {
                    guard try apply(lease, key, to: &state.attachments[index], plan) else { continue }
                    latest[key] = lease
                }
                if lease.address != nil, let end = lease.end { due.append(Deadline(end)) }
            }
        }
        // A lease whose state could not be written is applied again.
        if state != before {
            try journal.write(state)
            log.info(
                "leases applied",
                metadata: ["claim": "\(state.claim)", "addresses": "\(state.attachments.flatMap(\.addresses).map(\.description))"])
        }
        applied.merge(latest) { $1 }
        return due.min()
    }

    /// - Returns: false if the interface has left the pod.
    private func apply(
        _ reported: Lease, _ key: LeaseKey, to attachment: inout Attachment, _ plan: ClaimPlan
    ) throws(AttachmentError) -> Bool {
        let device = attachment.device
        guard let interface = plan.devices.first(where: { $0.device == device })?.interface, let index = attachment.podIndex,
            let namespace = namespaces.namespace(of: attachment)
        else { return false }
        var lease = reported
        let old = attachment.leasedAddress(key.family)
        let refused: [String]
        do throws(PodNetworkError) {
            refused = try network.apply(&lease, replacing: old, interface, index: index, in: namespace, reserved: clusterNetworks)
        } catch { throw AttachmentError(.leaseFailed, "claim \(plan.claim)", step: "apply a lease", error) }
        if !refused.isEmpty {
            log.warning(
                "parts of a lease refused",
                metadata: [
                    "claim": "\(plan.claim)", "interface": "\(attachment.label)", "refused": "\(refused.joined(separator: "; "))",
                ])
        }
        attachment.addresses.removeAll { $0 == old }
        attachment.addresses += lease.address.map { [$0] } ?? []
        attachment[key.family] = lease.address == nil ? .awaited : .bound
        return true
    }

    private static func key(_ attachment: Attachment, _ family: Lease.Family, of claim: ClaimIdentity) -> LeaseKey {
        LeaseKey(claim: claim.uid, device: attachment.device, namespace: attachment.namespace, family: family)
    }
}
