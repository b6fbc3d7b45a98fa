// SPDX-License-Identifier: Apache-2.0

import Addressing
import Journal
package import Linux
import Logging
import PodNetwork

extension PodInjector {
    /// Starts the clients of interfaces that ask a server for their address, where they do not run.
    func startClients(_ plan: ClaimPlan, _ state: ClaimState, _ identity: FileIdentity) throws(InjectionError) {
        for attachment in state.attachments
        where attachment.lease != nil && attachment.phase == .attached && attachment.namespace == identity {
            try startClient(attachment, of: plan.claim)
        }
    }

    /// The clients of the program before us ended with it.
    func resumeClients() {
        lacksClients = false
        for state in states.all {
            for attachment in state.attachments where attachment.lease != nil && attachment.phase == .attached {
                do throws(InjectionError) { try startClient(attachment, of: state.claim) } catch {
                    log.error("\(error)")
                    lacksClients = true
                }
            }
        }
    }

    /// What failed is tried again after so many milliseconds.
    private static let leasePause = 1000

    func startClient(_ attachment: Attachment, of claim: ClaimIdentity) throws(InjectionError) {
        let key = LeaseClients.Key(claim: claim.uid, device: attachment.device, namespace: attachment.namespace)
        guard !clients.isRunning(key), let name = attachment.podName,
            let namespace = held[attachment.namespace] ?? Self.namespace(of: attachment)
        else { return }
        guard Self.canAsk else {
            throw InjectionError(
                "claim \(claim): DHCP on \(attachment.label) needs the capabilities NET_RAW and NET_BIND_SERVICE, which nearside-nri has not; add them to its container, or give the claim addresses"
            )
        }
        do {
            try Files.makeFolder(journal.leases, mode: 0o700)
            if leaseChanges == nil { leaseChanges = try FolderChanges(journal.leases) }
            try clients.start(
                .init(
                    key: key, interface: name, namespace: namespace,
                    file: try journal.leaseFile(key.claim, device: key.device, namespace: key.namespace),
                    address: attachment.lease == .bound ? attachment.addresses.first?.address : nil))
        } catch { throw InjectionError("claim \(claim): DHCP on \(attachment.label): \(error)") }
    }

    /// CAP_NET_BIND_SERVICE and CAP_NET_RAW (linux/capability.h).
    private static let canAsk: Bool = {
        let status = (try? Files.readText("/proc/self/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let bits = line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) } ?? 0
        return bits & (1 << 10) != 0 && bits & (1 << 13) != 0
    }()

    /// What the claim still waits for in this namespace, as a sentence; nil when the pod can start.
    func awaited(_ claim: ClaimIdentity, in identity: FileIdentity) throws(InjectionError) -> String? {
        let names = (try readState(claim.uid)?.attachments ?? []).filter { $0.namespace == identity && $0.lease == .awaited }.map(\.label)
        return names.isEmpty ? nil : "claim \(claim): no DHCP server has given \(names.joined(separator: ", ")) an address yet"
    }

    // MARK: For the daemon

    /// What to wait for: leases that come, and clients that end.
    package var leaseDescriptors: [Descriptor] { clients.isEmpty ? [] : (leaseChanges.map { [$0.descriptor] } ?? []) + clients.descriptors }

    /// Gives interfaces what servers gave them, takes off what has run out, and starts clients anew that have ended. Returns when it has to
    /// be called again, nil for when something can be read.
    package func tendLeases() -> Int? {
        if lacksClients { resumeClients() }
        let again = Poller.now() + Self.leasePause
        guard !clients.isEmpty else { return lacksClients ? again : nil }
        if let leaseChanges, (try? leaseChanges.next()) == nil { self.leaseChanges = try? FolderChanges(journal.leases) }
        var due = lacksClients ? again : nil
        for state in states.all where state.attachments.contains(where: { $0.lease != nil && $0.phase == .attached }) {
            do throws(InjectionError) {
                if let end = try takeLeases(state) { due = min(due ?? .max, end) }
            } catch {
                log.error("cannot use a lease", metadata: ["claim": "\(state.claim)", "error": "\(error)"])
                due = min(due ?? .max, again)
            }
        }
        return [due, clients.tend()].compactMap { $0 }.min()
    }

    /// - Returns: when the first of the claim's leases runs out.
    private func takeLeases(_ before: ClaimState) throws(InjectionError) -> Int? {
        guard let plan = plans.plan(before.claim.uid) else { return nil }
        var state = before
        var due: Int?
        var latest = taken
        for (index, attachment) in state.attachments.enumerated() where attachment.lease != nil && attachment.phase == .attached {
            let key = LeaseClients.Key(claim: state.claim.uid, device: attachment.device, namespace: attachment.namespace)
            guard var lease = journal.lease(key.claim, device: key.device, namespace: key.namespace),
                let interface = plan.devices.first(where: { $0.device == attachment.device })?.interface,
                let podIndex = attachment.podIndex,
                let namespace = held[attachment.namespace] ?? Self.namespace(of: attachment)
            else { continue }
            // Its server is gone, or it ran out while nobody was here.
            if lease.hasEnded(at: Poller.now()) { lease.address = nil }
            if lease.address != nil, let end = lease.end { due = min(due ?? .max, end) }
            // A renewed one has the same address, and another time.
            guard taken[key] != lease else { continue }
            do throws(PodNetworkError) {
                try network.apply(lease, replacing: attachment.addresses.first, interface, index: podIndex, in: namespace)
            } catch { throw InjectionError("claim \(state.claim): \(error)") }
            latest[key] = lease
            state.attachments[index].addresses = lease.address.map { [$0] } ?? []
            state.attachments[index].lease = lease.address == nil ? .awaited : .bound
        }
        // What could not be written down counts as not taken: it is tried again.
        if state != before { try write(state) }
        taken = latest
        guard state != before else { return due }
        log.info(
            "leases", metadata: ["claim": "\(state.claim)", "addresses": "\(state.attachments.flatMap(\.addresses).map(\.description))"])
        return due
    }

    /// Addresses go back to their servers before the interfaces leave the pod. Returns what could not be forgotten, by device.
    func releaseLeases(_ attachments: [Attachment], of claim: ClaimIdentity) -> [String: PodNetworkError] {
        let leased = attachments.filter { $0.lease != nil }
        guard !leased.isEmpty else { return [:] }
        let keys = leased.map { LeaseClients.Key(claim: claim.uid, device: $0.device, namespace: $0.namespace) }
        clients.stop(keys)
        var refusals: [String: PodNetworkError] = [:]
        for (attachment, key) in zip(leased, keys) {
            taken[key] = nil
            do throws(SystemError) { try journal.removeLease(key.claim, device: key.device, namespace: key.namespace) } catch {
                refusals[attachment.device] = PodNetworkError(attachment.label, "forget its lease", error)
            }
        }
        return refusals
    }
}
