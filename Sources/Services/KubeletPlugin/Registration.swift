// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import KubeletAPI
import Logging

/// Tells the kubelet who we are and hears whether it took us.
struct Registration: RegistrationRegistration.SimpleServiceProtocol {
    /// What the kubelet did.
    enum Occasion: Sendable {
        case asked
        case accepted
        case refused(String)
    }

    let driver: String
    let endpoint: String
    let tell: AsyncStream<Occasion>.Continuation

    /// Names of services as the kubelet knows them, newest first: it takes the first that it knows.
    static let supported = ["v1.DRAPlugin", "v1beta1.DRAPlugin", "v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth"]

    func getInfo(request: RegistrationInfoRequest, context: ServerContext) async throws -> RegistrationPluginInfo {
        tell.yield(.asked)
        var info = RegistrationPluginInfo()
        info.type = "DRAPlugin"
        info.name = driver
        info.endpoint = endpoint
        info.supportedVersions = Self.supported
        return info
    }

    func notifyRegistrationStatus(
        request: RegistrationRegistrationStatus, context: ServerContext
    ) async throws -> RegistrationRegistrationStatusResponse {
        tell.yield(request.pluginRegistered ? .accepted : .refused(request.error))
        return RegistrationRegistrationStatusResponse()
    }
}
