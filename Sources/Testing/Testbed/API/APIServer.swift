// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ResourceAPI
import Synchronization

/// An API server on loopback: the resources of a driver over real HTTP, with real watches.
package final class APIServer: Sendable {
    struct State {
        var store = ObjectStore()
        var watchers: [ObjectIdentifier: Watcher] = [:]
        var requests: [String] = []
        var bytes = 0
        var faults: [Fault] = []
        var served = Set(ResourceAPIVersion.allCases)
        var deniesStatus = false
        /// The admission rules for clients over HTTP.
        var admission: AdmissionRules?
        /// Verbatim answers, by the path of the object.
        var texts: [String: [UInt8]] = [:]
    }

    /// An injected answer.
    package struct Fault: Hashable, Sendable {
        package var method: String
        package var pathPrefix: String
        /// The status of the answer; 0 for no answer, -1 for a cut connection.
        package var code: Int
        package var times: Int
        /// The requested delay in seconds.
        package var retryAfter: Int?

        package init(_ method: String, _ pathPrefix: String, code: Int, times: Int = 1, retryAfter: Int? = nil) {
            self.method = method
            self.pathPrefix = pathPrefix
            self.code = code
            self.times = times
            self.retryAfter = retryAfter
        }
    }

    let state = Mutex(State())
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let router: Router

    /// `http://127.0.0.1:PORT`
    package let url: String

    /// The server's certificate, and the token that it requires.
    package struct Identity: Sendable {
        package var certificateFile: String
        package var keyFile: String
        /// The required bearer token.
        package var token: String

        package init(certificateFile: String, keyFile: String, token: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.token = token
        }
    }

    let token: String?

    /// Listens in the calling thread's network namespace; with an identity over TLS.
    package init(identity: Identity? = nil) throws {
        token = identity?.token
        let tls = try identity.map { identity in
            try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: try NIOSSLCertificate.fromPEMFile(identity.certificateFile).map { .certificate($0) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: identity.keyFile, format: .pem))))
        }
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let router = Router()
        self.router = router
        channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.submit {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                }.flatMap { channel.pipeline.configureHTTPServerPipeline() }.flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(router))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        url = "\(tls == nil ? "http" : "https")://127.0.0.1:\(channel.localAddress?.port ?? 0)"
        router.server.withLock { $0 = self }
    }

    /// Must be called, because the handlers keep the server alive until then.
    package func shutDown() {
        router.server.withLock { $0 = nil }
        try? channel.close().wait()
        try? group.syncShutdownGracefully()
    }

    /// Changes the store, and notifies watches.
    @discardableResult
    func apply<Value: Sendable>(
        judged: Bool = false, _ body: (inout ObjectStore) throws(ObjectStore.Refusal) -> Value
    ) throws(ObjectStore.Refusal) -> Value {
        let result: Result<Value, ObjectStore.Refusal> = state.withLock { state in
            let before = state.store.changes.count
            state.store.admission = judged ? state.admission : nil
            do throws(ObjectStore.Refusal) {
                let value = try body(&state.store)
                for change in state.store.changes[before...] {
                    for watcher in state.watchers.values where Self.matches(change, watcher) {
                        state.bytes += Self.write(change.type, change.object, to: watcher)
                    }
                }
                return .success(value)
            } catch { return .failure(error) }
        }
        return try result.get()
    }
}
