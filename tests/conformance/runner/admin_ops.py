"""Ops on what surrounds a case: vhosts, users, policies, the broker itself."""
import subprocess
import time

import stubs  # noqa: F401
from kelpmq.v1 import admin_pb2

from . import values
from .errors import NotMappable

_APPLY_TO = {"all": admin_pb2.POLICY_TARGET_ALL, "queues": admin_pb2.POLICY_TARGET_QUEUES,
             "exchanges": admin_pb2.POLICY_TARGET_EXCHANGES}


class AdminOps:
    def _sleep(self, op):
        time.sleep(op["ms"] / 1000)

    def _admin(self, method: str, **fields):
        return self._api.call(getattr(self._api.admin, method),
                              getattr(admin_pb2, f"{method}Request")(**fields))

    def _vhost_add(self, op):
        self._admin("PutVhost", vhost=admin_pb2.Vhost(name=op["vhost"]))

    def _vhost_delete(self, op):
        self._admin("DeleteVhost", name=op["vhost"])

    def _user_add(self, op):
        tags = op.get("tags") or []
        if isinstance(tags, str):
            tags = tags.replace(",", " ").split()
        self._admin("PutUser", password=op["password"],
                    user=admin_pb2.User(name=op["user"], tags=tags))
        self._users.add(op["user"])

    def _delete_users(self):
        """Users belong to no vhost, so they do not go with the case's."""
        while self._users:
            self._admin("DeleteUser", name=self._users.pop())

    def _permissions_set(self, op):
        self._admin("SetPermission", permission=admin_pb2.Permission(
            vhost=op.get("vhost", self._vhost), user=op["user"], configure=op["configure"],
            write=op["write"], read=op["read"]))

    def _topic_permissions_set(self, op):
        self._admin("SetTopicPermission", permission=admin_pb2.TopicPermission(
            vhost=op.get("vhost", self._vhost), user=op["user"], exchange=op["exchange"],
            write=op["write"], read=op["read"]))

    def _policy_set(self, op):
        self._admin("PutPolicy", policy=admin_pb2.Policy(
            vhost=self._vhost, name=op["name"], pattern=op["pattern"],
            apply_to=_APPLY_TO[op.get("apply_to", "all")], priority=op.get("priority", 0),
            definition=values.to_fields(op["definition"])))

    def _policy_clear(self, op):
        self._admin("DeletePolicy", vhost=self._vhost, name=op["name"])

    def _limit_set(self, op):
        field = op["limit"].replace("-", "_")
        self._admin("PutVhost", vhost=admin_pb2.Vhost(name=self._vhost, **{field: op["value"]}))

    def _broker_restart(self, op):
        if not self._restart_command:
            raise NotMappable("DUR-*")
        for connection in self._connections.values():
            self._close_connection(connection)
        subprocess.run(self._restart_command, shell=True, check=True)
        self._connections.clear()
