// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import KubeletAPI
import Logging

/// Answers the kubelet's queries about this driver, and passes on whether it accepted the driver.
struct Registration: RegistrationRegistration.SimpleServiceProtocol {
    /// A call of the kubelet.
    enum Request: Sendable {
        case information
        case accepted
        case refused(String)
    }

    let driver: String
    let endpoint: String
    let requests: AsyncStream<Request>.Continuation

    /// Names of services as the kubelet knows them, newest first: it uses the first that it supports.
    static let supported = ["v1.DRAPlugin", "v1beta1.DRAPlugin", "v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth"]

    func getInfo(request: RegistrationInfoRequest, context: ServerContext) async throws -> RegistrationPluginInfo {
        requests.yield(.information)
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
        requests.yield(request.pluginRegistered ? .accepted : .refused(request.error))
        return RegistrationRegistrationStatusResponse()
    }
}
