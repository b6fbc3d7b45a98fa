// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// 8 x MI250X, as a machine description.
    static let mi250x = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "8 x MI250X",
         "source": "NCCL topology file 8p_90a of ROCm/rccl (BSD-3-Clause)",
         "note": "The source has no ids; the ids of the machine type are used. From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}],
         "functions": [
          {"address": "0000:94:00.0", "vendor": "15b3", "device": "101b", "class": "020000", "path": ["0000:91:00.0"], "numaNode": 0, "driver": "mlx5_core", "netdevs": [{"name": "eth0"}], "rdmaDevices": [{"name": "mlx5_0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:c1:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:c5:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:c9:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:cd:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:d1:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:d5:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:d9:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:dd:00.0", "vendor": "1002", "device": "7408", "class": "038000", "numaNode": 0, "driver": "amdgpu"}
         ]}
        """#
}
