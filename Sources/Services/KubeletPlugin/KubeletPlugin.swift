// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Linux
package import Logging
package import NIOPosix
import ServiceLifecycle

/// The two sockets on which the kubelet finds and calls us.
///
/// The one that serves claims is there before the one that makes us known, and both files are gone
/// when this ends: the kubelet would go on calling a socket that is left behind. The one that makes us known is made anew when the
/// kubelet refused us, which it does not try again by itself, and when its file was taken away or replaced.
package struct KubeletPlugin: Service {
    package struct Options: Sendable {
        package var driver: String
        /// Where the kubelet looks for plugins: `/var/lib/kubelet/plugins_registry`.
        package var registry: String
        /// A folder of our own: `/var/lib/kubelet/plugins/DRIVER`. The kubelet sees it under the same path.
        package var data: String
        /// With it, another pod of this driver may serve at the same time.
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
    private let observe: @Sendable (RegistrationStatus) async -> Void
    private let log: Logger

    /// - Parameter observe: hears of every change of the registration.
    package init(
        _ options: Options, handler: any ClaimHandler, health: HealthBoard, eventLoopGroup: MultiThreadedEventLoopGroup, log: Logger,
        observe: @escaping @Sendable (RegistrationStatus) async -> Void = { _ in }
    ) throws {
        names = try SocketNames(driver: options.driver, registry: options.registry, data: options.data, podUID: options.podUID)
        self.options = options
        self.handler = handler
        self.health = health
        self.eventLoopGroup = eventLoopGroup
        self.observe = observe
        self.log = log
    }

    package func run() async throws {
        try Files.makeFolder(options.data, mode: 0o750)
        let lock: Descriptor?
        do { lock = try await cancelWhenGracefulShutdown { try await waitForOthers() } } catch is CancellationError { return }
        defer {
            for socket in [names.registration, names.service] {
                do throws(SystemError) { try Files.remove(socket) } catch {
                    log.error("socket left behind", metadata: ["error": "\(error)"])
                }
            }
            withExtendedLifetime(lock) {}
        }
        let claims = ClaimExecutors()
        let calls = ClaimCalls(handler: handler, executors: claims)
        let service = server(
            names.service,
            [PluginV1(calls: calls), PluginV1Beta1(calls: calls), HealthV1(board: health), HealthV1Alpha1(board: health)])
        try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask { [executor = EventLoopExecutor(eventLoopGroup.next())] in
                try await withTaskExecutorPreference(executor) { try await service.serve() }
                return .service
            }
            try await waitForSocket(names.service)
            log.notice("serving the kubelet", metadata: ["socket": "\(names.service)"])
            removeDeadSockets()
            group.addTask {
                try await register()
                return .registration
            }
            group.addTask {
                try await gracefulShutdown()
                service.beginGracefulShutdown()
                try await Task.sleep(for: Self.grace)
                return .grace
            }
            // The kubelet keeps its connection open for ever: after the grace it is cut.
            while let ending = try await group.next(), ending == .registration {}
            group.cancelAll()
        }
        await claims.shutDown()
    }

    private enum Ending {
        case service, registration, grace
    }

    /// How long calls in flight may take at shutdown.
    private static let grace = Duration.milliseconds(300)

    // MARK: Registration

    /// Makes us known, and again whenever that did not hold.
    private func register() async throws {
        var attempt = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let (occasions, tell) = AsyncStream<Registration.Occasion>.makeStream(bufferingPolicy: .bufferingNewest(16))
            let server = server(
                names.registration, [Registration(driver: options.driver, endpoint: names.service, tell: tell)])
            let start = ContinuousClock.now
            let end = await withTaskGroup(of: RegistrationEnd.self) { group in
                group.addTask { await serveRegistration(server) }
                group.addTask { await hear(occasions) }
                group.addTask { await watchRegistration() }
                let end = await group.next() ?? .shutdown
                server.beginGracefulShutdown()
                group.cancelAll()
                return end
            }
            tell.finish()
            // At the end the socket goes, and that is no news.
            guard case .failed(let why) = end, !Task.isShuttingDownGracefully else { return }
            await observe(.failed(why))
            if ContinuousClock.now - start > .seconds(60) { attempt = 0 }
            attempt += 1
            let pause = min(Duration.milliseconds(500) * (1 << min(attempt, 8)), .seconds(120))
            log.warning("registering with the kubelet anew", metadata: ["reason": "\(why)", "pause": "\(pause)"])
            try? Files.remove(names.registration)
            await cancelWhenGracefulShutdown { try? await Task.sleep(for: pause) }
        }
    }

    private enum RegistrationEnd: Sendable {
        case shutdown
        case failed(String)
    }

    private func serveRegistration(_ server: GRPCServer<HTTP2ServerTransport.Posix>) async -> RegistrationEnd {
        do {
            try await withGracefulShutdownHandler {
                try await server.serve()
            } onGracefulShutdown: {
                server.beginGracefulShutdown()
            }
            return .shutdown
        } catch { return Task.isCancelled ? .shutdown : .failed("the socket \(names.registration): \(error)") }
    }

    private func hear(_ occasions: AsyncStream<Registration.Occasion>) async -> RegistrationEnd {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await Task.sleep(for: Self.timeout)) != nil else { return }
                log.warning(
                    "the kubelet has not asked yet who we are: is this folder in its --root-dir?",
                    metadata: ["folder": "\(options.registry)"])
            }
            defer { group.cancelAll() }
            for await occasion in occasions {
                group.cancelAll()
                switch occasion {
                case .asked: log.debug("the kubelet asks who we are")
                case .accepted:
                    log.notice("registered with the kubelet")
                    await observe(.registered)
                case .refused(let why):
                    // Our answer is to reach it before its connection is cut.
                    try? await Task.sleep(for: .milliseconds(200))
                    return .failed("the kubelet refused us: \(why)")
                }
            }
            return .shutdown
        }
    }

    /// A kubelet asks within a second or two.
    private static let timeout = Duration.seconds(30)

    /// Ends when the file is not ours any more.
    private func watchRegistration() async -> RegistrationEnd {
        do {
            try await waitForSocket(names.registration)
            let watch = try FolderWatch(options.registry)
            let own = try Files.stamp(names.registration)
            for await _ in watch.changes {
                guard let now = try? Files.stamp(names.registration) else {
                    return .failed("somebody removed \(names.registration)")
                }
                if now != own { return .failed("another program put its own socket at \(names.registration)") }
            }
            return Task.isCancelled ? .shutdown : .failed("somebody removed the folder \(options.registry)")
        } catch { return Task.isCancelled ? .shutdown : .failed("\(error)") }
    }

    // MARK: Others of our name

    /// Waits until the sockets are ours to make. Another program that serves under our name keeps its own until it ends: taking
    /// them away would help nobody.
    private func waitForOthers() async throws -> Descriptor? {
        var lock: Descriptor?
        if options.podUID == nil {
            // Binding steals a socket that another instance serves: the lock comes first.
            lock = try await FileLock.wait("\(options.data)/serve.lock") {
                log.notice("another instance serves this driver; waiting for it to end")
            }
        }
        var isWaiting = false
        while (try? UnixSocket.connect(names.registration)) != nil {
            if !isWaiting {
                log.error(
                    "another program is registered as \(options.driver); waiting for it to end, or give this one another --driver",
                    metadata: ["socket": "\(names.registration)"])
            }
            isWaiting = true
            try await Task.sleep(for: .seconds(1))
        }
        return lock
    }

    /// Sockets of pods of this driver that were killed: the kubelet would go on calling them.
    private func removeDeadSockets() {
        let registrations = Files.list(options.registry).filter { $0.hasPrefix("\(options.driver)-") && $0.hasSuffix("-reg.sock") }
        let services = Files.list(options.data).filter { $0.hasPrefix("dra") && $0.hasSuffix(".sock") }
        for path in registrations.map({ "\(options.registry)/\($0)" }) + services.map({ "\(options.data)/\($0)" }) {
            guard path != names.registration, path != names.service else { continue }
            do throws(SystemError) { _ = try UnixSocket.connect(path) } catch {
                guard error.isRefused else { continue }
                log.notice("a socket that nobody serves any more is removed", metadata: ["socket": "\(path)"])
                try? Files.remove(path)
            }
        }
    }

    // MARK: Servers

    private func server(
        _ path: String, _ services: [any RegistrableRPCService]
    ) -> GRPCServer<HTTP2ServerTransport.Posix> {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        // The kubelet keeps its connection for ever and may ping it as it likes.
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
        config.rpc.maxRequestPayloadSize = 4 << 20
        // An answer is one write: waiting for others to send along would only delay it.
        config.connection.flushCoalescing = nil
        return GRPCServer(
            transport: .init(
                address: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: config,
                eventLoopGroup: eventLoopGroup),
            services: services)
    }

    private func waitForSocket(_ path: String) async throws {
        // The server says nothing when it listens, but its file appears.
        while (try? UnixSocket.connect(path)) == nil { try await Task.sleep(for: .milliseconds(1)) }
    }
}
