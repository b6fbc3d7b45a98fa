// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import KubeletAPI
import Logging

/// Tells the kubelet who we are and hears whether it took us.
struct Registration: RegistrationRegistration.SimpleServiceProtocol {
    let driver: String
    let endpoint: String
    let log: Logger

    /// Names of services as the kubelet knows them, newest first: it takes the first that it knows.
    static let supported = ["v1.DRAPlugin", "v1beta1.DRAPlugin"]

    func getInfo(request: RegistrationInfoRequest, context: ServerContext) async throws -> RegistrationPluginInfo {
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
        if request.pluginRegistered {
            log.notice("registered with the kubelet")
        } else {
            log.error("the kubelet refused the registration", metadata: ["error": "\(request.error)"])
        }
        return RegistrationRegistrationStatusResponse()
    }
}
