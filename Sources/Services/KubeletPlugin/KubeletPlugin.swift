// SPDX-License-Identifier: Apache-2.0

import Linux
package import Logging
package import NIOPosix
import ServiceLifecycle

/// Serves the kubelet on two sockets: one for claims, and one for the registration of this driver.
///
/// The socket for claims is created first, and both are removed at the end, because the kubelet would continue to call an abandoned
/// socket. The registration socket is created again after the kubelet refused the driver, which the kubelet does not retry, and after its
/// file was removed or replaced.
package struct KubeletPlugin: Service {
    /// The name of the driver, and the paths of the sockets.
    package struct Options: Sendable {
        package var driver: String
        /// The folder in which the kubelet looks up plugins: `/var/lib/kubelet/plugins_registry`.
        package var registry: String
        /// The folder of this driver, `/var/lib/kubelet/plugins/DRIVER`, at the path that the kubelet uses.
        package var data: String
        /// The UID of this pod; it allows another pod of this driver to serve at the same time.
        package var podUID: String?

        package init(driver: String, registry: String, data: String, podUID: String? = nil) {
            self.driver = driver
            self.registry = registry
            self.data = data
            self.podUID = podUID
        }
    }

    private let options: Options
    private let names: SocketNames
    private let handler: any ClaimHandler
    private let health: HealthBoard
    private let eventLoopGroup: MultiThreadedEventLoopGroup
    private let registrar: Registrar
    private let log: Logger

    /// - Parameter observe: called after each change of the registration.
    package init(
        _ options: Options, handler: any ClaimHandler, health: HealthBoard, eventLoopGroup: MultiThreadedEventLoopGroup, log: Logger,
        observe: @escaping @Sendable (RegistrationStatus) async -> Void = { _ in }
    ) throws {
        names = try SocketNames(driver: options.driver, registry: options.registry, data: options.data, podUID: options.podUID)
        self.options = options
        self.handler = handler
        self.health = health
        self.eventLoopGroup = eventLoopGroup
        self.log = log
        registrar = Registrar(
            driver: options.driver, names: names, registry: options.registry, eventLoopGroup: eventLoopGroup, observe: observe, log: log)
    }

    /// Serves until shutdown, after other instances have ended.
    package func run() async throws {
        try Files.makeFolder(options.data, mode: 0o750)
        let lock: Descriptor?
        do { lock = try await cancelWhenGracefulShutdown { try await waitForOthers() } } catch is CancellationError { return }
        defer {
            for socket in [names.registration, names.service] {
                do throws(SystemError) { try Files.remove(socket) } catch {
                    log.error("socket not removed", metadata: ["error": "\(error)"])
                }
            }
            withExtendedLifetime(lock) {}
        }
        let claims = ClaimExecutors()
        let calls = ClaimCalls(handler: handler, executors: claims)
        let server = KubeletServer(
            names.service, [PluginV1(calls: calls), PluginV1Beta1(calls: calls), HealthV1(board: health), HealthV1Alpha1(board: health)],
            eventLoopGroup: eventLoopGroup, log: log)
        try await serve(server)
        await claims.shutDown()
    }

    /// Serves claims, and registers once the kubelet can connect.
    private func serve(_ server: KubeletServer) async throws {
        try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask { [executor = EventLoopExecutor(eventLoopGroup.next())] in
                try await withTaskExecutorPreference(executor) { try await server.serve() }
                return .service
            }
            group.addTask {
                try await gracefulShutdown()
                await server.stop()
                try await Task.sleep(for: Self.grace)
                return .grace
            }
            if await server.isListening() {
                log.notice("serving the kubelet", metadata: ["socket": "\(names.service)"])
                await removeDeadSockets()
                group.addTask {
                    await registrar.run()
                    return .registration
                }
            }
            // The kubelet never closes its connection: it is cut after the grace period.
            while let ending = try await group.next(), ending == .registration {}
            group.cancelAll()
        }
    }

    private enum Ending {
        case service, registration, grace
    }

    /// The grace period for calls in flight at shutdown.
    private static let grace = Duration.milliseconds(300)

    // MARK: Other instances

    /// Waits until no other instance serves this driver. A foreign program with the same driver name keeps its sockets until it ends.
    ///
    /// - Returns: the lock that excludes other instances; nil if another pod may serve at the same time.
    private func waitForOthers() async throws -> Descriptor? {
        var lock: Descriptor?
        if options.podUID == nil {
            // Binding would take over the socket of another instance, so that the lock comes first.
            lock = try await FileLock.wait("\(options.data)/serve.lock") {
                log.notice("another instance serves this driver; waiting for it to end")
            }
        }
        var isWaiting = false
        while await Self.isServed(names.registration) {
            if !isWaiting {
                log.error(
                    "another program is registered with this driver's name; waiting for its end (or set another --driver)",
                    metadata: ["driver": "\(options.driver)", "socket": "\(names.registration)"])
            }
            isWaiting = true
            try await Task.sleep(for: .seconds(1))
        }
        return lock
    }

    private static func isServed(_ socket: String) async -> Bool {
        await CachedThreadPool.shared.value { (try? UnixSocket.connect(socket)) != nil }
    }

    /// Removes sockets of killed pods of this driver, which the kubelet would continue to call.
    private func removeDeadSockets() async {
        let (names, options) = (names, options)
        let removed = await CachedThreadPool.shared.value {
            let registrations = Files.list(options.registry).filter { $0.hasPrefix("\(options.driver)-") && $0.hasSuffix("-reg.sock") }
            let services = Files.list(options.data).filter { $0.hasPrefix("dra") && $0.hasSuffix(".sock") }
            let sockets = registrations.map { "\(options.registry)/\($0)" } + services.map { "\(options.data)/\($0)" }
            return sockets.filter { $0 != names.registration && $0 != names.service && UnixSocket.removeDead($0) }
        }
        for socket in removed { log.notice("unserved socket removed", metadata: ["socket": "\(socket)"]) }
    }
}
