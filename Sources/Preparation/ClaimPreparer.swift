// SPDX-License-Identifier: Apache-2.0

package import CDI
package import Hardware
import InjectorSocket
package import Journal
package import Kubernetes
import Linux
package import Logging
import ResourceAPI

/// A device of a prepared claim, as the kubelet wants to hear of it.
package struct PreparedDevice: Hashable, Sendable {
    package var requests: [String]
    package var pool: String
    package var device: String
    package var cdiDeviceIDs: [String]
}

/// Prepares claims and gives them up again: both can be asked for twice, and both survive a kill
/// between any two steps.
///
/// ## Concurrency model
/// An actor, so that what is read from the journal holds until it is written back. The claim is fetched
/// before; two calls for one claim do the same.
package actor ClaimPreparer {
    package struct Options: Sendable {
        package var driver: String
        package var gatePath: String?
        /// How long `nearside-nri` may take to bring a claim's interfaces back, in milliseconds.
        package var releasePatience = 30_000

        package init(driver: String, gatePath: String?) {
            self.driver = driver
            self.gatePath = gatePath
        }
    }

    private let options: Options
    private let resources: ResourceClient
    private let journal: JournalFolder
    private let specs: SpecFolder
    private let log: Logger
    private var devices: [String: Device] = [:]

    package init(
        _ options: Options, resources: ResourceClient, journal: JournalFolder, specs: SpecFolder, log: Logger
    ) {
        self.options = options
        self.resources = resources
        self.journal = journal
        self.specs = specs
        self.log = log
    }

    /// The devices of this node by their name in slices, from the latest snapshot.
    package func update(devices: [String: Device]) { self.devices = devices }

    // MARK: Prepare

    package func prepare(_ identity: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice] {
        let claim: ResourceClaim
        do throws(APIError) { claim = try await resources.claim(identity.name, namespace: identity.namespace) } catch {
            throw ClaimError("claim \(identity) cannot be read: \(error)")
        }
        guard claim.metadata.uid == identity.uid else {
            throw ClaimError(
                "claim \(identity) was replaced: the kubelet asks for UID \(identity.uid), the cluster has \(claim.metadata.uid ?? "none")")
        }
        return try prepare(identity, claim)
    }

    private func prepare(_ identity: ClaimIdentity, _ claim: ResourceClaim) throws(ClaimError) -> [PreparedDevice] {
        let (plans, damaged) = journal.plans()
        for error in damaged { log.error("plan cannot be used", metadata: ["error": "\(error)"]) }
        let existing = plans.first { $0.claim.uid == identity.uid }
        if existing?.phase == .released {
            throw ClaimError("claim \(identity) is being given up; it can be prepared when that is done")
        }
        let planner = ClaimPlanner(
            driver: options.driver, devices: devices, gatePath: options.gatePath, gateSocket: journal.socket)
        let outcome = try planner.plan(claim, others: plans)
        if outcome.plan.hasInterfaces { try requireInjector(identity) }
        do {
            // The plan first: from then on the devices are taken, whatever happens.
            if outcome.plan != existing { try journal.write(outcome.plan) }
            if let spec = outcome.spec { try specs.write(spec, named: specName(identity.uid)) }
        } catch { throw ClaimError("claim \(identity): \(error)") }
        log.info("prepared", metadata: ["claim": "\(identity)", "devices": "\(outcome.plan.devices.count)"])
        return outcome.plan.devices.map { device in
            PreparedDevice(
                requests: [String(device.request.prefix { $0 != "/" })], pool: device.pool, device: device.device,
                cdiDeviceIDs: device.cdiDeviceIDs)
        }
    }

    /// Without `nearside-nri` and its connection to the runtime a pod would start without its
    /// interfaces, so it is not even begun.
    private func requireInjector(_ identity: ClaimIdentity) throws(ClaimError) {
        let reply: InjectorReply
        do throws(InjectorUnreachable) {
            reply = try InjectorClient.ask(.status, socket: journal.socket, milliseconds: 1000)
        } catch { throw ClaimError("claim \(identity): \(error)") }
        if case .refused(let why) = reply { throw ClaimError("claim \(identity): \(why)") }
    }

    // MARK: Unprepare

    package func unprepare(_ identity: ClaimIdentity) throws(ClaimError) {
        let plan: ClaimPlan?
        do throws(JournalError) { plan = try journal.plan(identity.uid) } catch {
            // A plan that was set aside as damaged: what the state holds is still brought back.
            log.error("plan cannot be used", metadata: ["claim": "\(identity)", "error": "\(error)"])
            try release(identity)
            plan = nil
        }
        do {
            if var plan {
                if plan.phase == .prepared {
                    // From here on nothing is attached any more.
                    plan.phase = .released
                    try journal.write(plan)
                }
                if plan.hasInterfaces { try release(identity) }
            }
            try specs.remove(named: specName(identity.uid))
            try journal.removePlan(identity.uid)
        } catch let error as ClaimError { throw error } catch { throw ClaimError("claim \(identity): \(error)") }
        log.info("given up", metadata: ["claim": "\(identity)"])
    }

    private func release(_ identity: ClaimIdentity) throws(ClaimError) {
        let reply: InjectorReply
        do throws(InjectorUnreachable) {
            reply = try InjectorClient.ask(
                .release(claim: identity.uid), socket: journal.socket, milliseconds: options.releasePatience)
        } catch { throw ClaimError("claim \(identity): its interfaces cannot be brought back: \(error)") }
        if case .refused(let why) = reply { throw ClaimError("claim \(identity): \(why)") }
    }

    private func specName(_ uid: String) -> String { "\(options.driver)-\(uid)" }
}
