// SPDX-License-Identifier: Apache-2.0

import CDI
import ControlProtocol
import JournalModel
import Linux
import Logging
import NetworkModel
import Primitives

/// Answers requests of `nearside-node`, of gates and of probes over the daemon's socket.
///
/// ## Concurrency model
/// Used by one thread.
final class RequestServer: EventSource {
    private let listener: Descriptor
    private let service: AttachmentService
    private let specs: SpecPublisher
    /// Nil if the daemon serves without NRI.
    private let runtime: RuntimeClient?
    private let log: Logger
    private var clients: [RequestClient] = []
    /// The time of the next attempt to accept a connection.
    private var nextAccept = Deadline.now

    /// Further connections wait in the listener's queue.
    private static let maxClients = 256
    private static let acceptDelay = Duration.seconds(1)
    /// The time-out of a release, which waits for the kernel. It is shorter than the time-out of `nearside-node` for the reply.
    private static let releaseTimeout = Duration.seconds(20)

    init(_ listener: Descriptor, service: AttachmentService, specs: SpecPublisher, runtime: RuntimeClient?, log: Logger) {
        (self.listener, self.service, self.specs) = (listener, service, specs)
        (self.runtime, self.log) = (runtime, log)
    }

    // MARK: Events

    private var isListening: Bool { clients.count < Self.maxClients && nextAccept.hasPassed }

    var descriptors: [Descriptor] { (isListening ? [listener] : []) + clients.map(\.socket) }

    var deadline: Deadline? {
        // After a failed accept, the next attempt follows a delay or the end of a client.
        let accept = isListening ? nil : max(nextAccept, .after(Self.acceptDelay))
        return (clients.map(\.deadline) + [accept]).compactMap(\.self).min()
    }

    func handle(_ ready: ReadyDescriptors) {
        for client in clients where ready.contains(client.socket) { serve(client) }
        clients.removeAll { $0.isFinished || $0.isStale }
        if ready.contains(listener) { accept() }
        // Any turn may have ended the wait of a request.
        for client in clients { client.pending.map { handle($0, of: client) } }
        clients.removeAll(where: \.isFinished)
    }

    private func accept() {
        do throws(SystemError) {
            let client = try UnixSocket.accept(listener)
            guard UnixSocket.isRoot(client) else { return log.error("request refused: the client is not root") }
            clients.append(RequestClient(client))
        } catch {
            // Without a free descriptor the listener would stay readable and make the loop spin.
            nextAccept = .after(Self.acceptDelay)
            log.error("accepting a connection failed", metadata: ["error": "\(error)"])
        }
    }

    private func serve(_ client: RequestClient) {
        do throws(InputError) {
            if let request = try client.receive() { handle(request, of: client) }
        } catch { client.answer(.refused("\(error)")) }
    }

    // MARK: Requests

    private func handle(_ request: ControlRequest, of client: RequestClient) {
        do throws(AttachmentError) {
            switch request {
            case .status: client.answer(status)
            case .publish(let claim):
                try publish(claim)
                client.answer(.ok)
            case .release(let claim): try release(claim, for: client)
            case .admit(let claim): try admit(claim, for: client)
            }
        } catch {
            log.error("request refused", metadata: ["code": "\(error.code)", "error": "\(error)"])
            client.answer(.refused("\(error)"))
        }
    }

    private var status: ControlReply {
        guard let runtime, !runtime.isSynchronized else { return .supports(JournalFeature.allCases.map(\.rawValue)) }
        return .refused("nearside-nri is not synchronised with the container runtime (\(runtime.path))")
    }

    private func publish(_ claim: String) throws(AttachmentError) {
        let plan = try service.journal.preparedPlan(claim)
        try service.prepare(plan)
        do throws(SpecRefusal) { try specs.publish(plan) } catch {
            throw AttachmentError(.specification, "claim \(plan.claim)", error)
        }
    }

    private func release(_ claim: String, for client: RequestClient) throws(AttachmentError) {
        do throws(AttachmentError) { try service.release(claim: claim) } catch {
            if error.isPending, client.wait(.release(claim: claim), timeout: Self.releaseTimeout) { return }
            throw error
        }
        // The claim may have been prepared again after the request for its release.
        if (try? service.journal.preparedPlan(claim)) == nil {
            do throws(SystemError) { try specs.withdraw(claim) } catch {
                throw AttachmentError(.specification, "claim \(claim)", step: "withdraw its CDI specification", error)
            }
        }
        client.answer(.ok)
    }

    private func admit(_ claim: String, for client: RequestClient) throws(AttachmentError) {
        var namespace: NetworkNamespace?
        if let descriptor = client.descriptor {
            do throws(SystemError) { namespace = try NetworkNamespace(descriptor) } catch {
                throw AttachmentError(.noNamespace, "claim \(claim)", "the passed descriptor is not a network namespace: \(error)")
            }
        }
        guard let awaited = try service.admission.admit(claim: claim, namespace: namespace) else { return client.answer(.ok) }
        guard client.wait(.admit(claim: claim), timeout: GateTiming.standard.daemon) else { throw awaited.error }
    }
}
