// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ResourceAPI
import Synchronization

/// An API server on loopback: the resources a driver uses, over real HTTP, with real watches.
package final class APIServer: Sendable {
    struct State {
        var store = ObjectStore()
        var watchers: [ObjectIdentifier: Watcher] = [:]
        var requests: [String] = []
        var bytes = 0
        var faults: [Fault] = []
        var served = Set(ResourceAPIVersion.allCases)
        var deniesStatus = false
        /// Of those who come over HTTP.
        var admission: AdmissionRules?
        /// Answers that are given byte by byte, by the path of the object.
        var texts: [String: [UInt8]] = [:]
    }

    /// An answer that is given in place of the right one.
    package struct Fault: Hashable, Sendable {
        package var method: String
        package var pathPrefix: String
        /// The status to answer with; 0 for no answer at all, -1 for a connection that is cut.
        package var code: Int
        package var times: Int
        /// Seconds that the answer asks for.
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

    /// With what a server shows who it is, and what it asks of clients.
    package struct Identity: Sendable {
        package var certificateFile: String
        package var keyFile: String
        /// The bearer token without which every request is refused.
        package var token: String

        package init(certificateFile: String, keyFile: String, token: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.token = token
        }
    }

    let token: String?

    /// Listens in the network namespace of the calling thread; with an identity, over TLS.
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

    /// Has to be called: until then the handlers keep the server.
    package func shutDown() {
        router.server.withLock { $0 = nil }
        try? channel.close().wait()
        try? group.syncShutdownGracefully()
    }

    /// Changes the store and tells those who watch.
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
