// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// Standard_ND40rs_v2, as a machine description.
    static let azureNdV2 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "Standard_ND40rs_v2",
         "source": "Azure's NCCL topology file for ND v2 (MIT)",
         "note": "From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0001:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 0, "driver": "nvidia"},
          {"address": "0002:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 0, "driver": "nvidia"},
          {"address": "0003:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 0, "driver": "nvidia"},
          {"address": "0004:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 0, "driver": "nvidia"},
          {"address": "0005:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 1, "driver": "nvidia"},
          {"address": "0006:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 1, "driver": "nvidia"},
          {"address": "0007:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 1, "driver": "nvidia"},
          {"address": "0008:00:00.0", "vendor": "10de", "device": "1db5", "class": "030200", "numaNode": 1, "driver": "nvidia"},
          {"address": "0101:00:00.0", "vendor": "15b3", "device": "1013", "class": "020700", "numaNode": 0, "driver": "mlx5_core", "rdmaDevices": [{"name": "mlx5_0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "InfiniBand"}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]}
         ]}
        """#
}
